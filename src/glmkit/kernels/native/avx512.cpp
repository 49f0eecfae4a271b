// AVX-512 with VNNI; on processors with AMX the same for few rows and tiles for many.
#include "matrix.h"

#if defined(__x86_64__) && defined(__GNUC__)
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512vbmi,avx2,fma,f16c,amx-tile,amx-int8"))), apply_to = function)
#else
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512vbmi,avx2,fma,f16c,amx-tile,amx-int8")
#endif
#include <immintrin.h>
#include <string.h>

#include "small.h"

namespace {

#ifndef AHEAD
#define AHEAD 1024
#endif

__m512 load(const void* p, int64_t i, int kind) {
  if (kind == FLOAT32) return _mm512_loadu_ps(static_cast<const float*>(p) + i);
  __m256i half = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(static_cast<const uint16_t*>(p) + i));
  if (kind == FLOAT16) return _mm512_cvtph_ps(half);
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
}

__m512 load_some(const void* p, int64_t i, int kind, int64_t count) {  // zeros behind `count`
  __mmask16 mask = count >= 16 ? 0xffff : count <= 0 ? 0 : static_cast<__mmask16>((1u << count) - 1);
  if (mask == 0xffff) return load(p, i, kind);
  if (kind == FLOAT32) return _mm512_maskz_loadu_ps(mask, static_cast<const float*>(p) + i);
  __m256i half = _mm256_maskz_loadu_epi16(mask, static_cast<const uint16_t*>(p) + i);
  if (kind == FLOAT16) return _mm512_cvtph_ps(half);
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
}

int32_t four(const int8_t* p) {
  int32_t word;
  memcpy(&word, p, 4);
  return word;
}

__m256i to_bfloat16(__m512 v) {  // round to even; a NaN stays one
  __m512i bits = _mm512_castps_si512(v);
  __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
  __m512i even = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
  __mmask16 nan = _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);
  even = _mm512_mask_or_epi32(even, nan, bits, _mm512_set1_epi32(0x400000));
  return _mm512_cvtepi32_epi16(_mm512_srli_epi32(even, 16));
}

void store(const float* from, const void* bias, int64_t count, int kind, void* to) {
  for (int64_t i = 0; i < count; i += 16) {
    const int64_t left = count - i;
    __mmask16 mask = left >= 16 ? 0xffff : static_cast<__mmask16>((1u << left) - 1);
    __m512 v = _mm512_maskz_loadu_ps(mask, from + i);
    if (bias) v = _mm512_add_ps(v, load_some(bias, i, kind, left));
    if (kind == FLOAT32) {
      _mm512_mask_storeu_ps(static_cast<float*>(to) + i, mask, v);
    } else {
      __m256i half = kind == BFLOAT16 ? to_bfloat16(v) : _mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT);
      _mm256_mask_storeu_epi16(static_cast<uint16_t*>(to) + i, mask, half);
    }
  }
}

void quantise(const void* x, int kind, int64_t count, const Activations& a, int64_t row, int bits) {
  const __m512i magnitude = _mm512_set1_epi32(0x7fffffff);
  for (int64_t block = 0; block < a.columns / a.block; block++) {
    const int64_t first = block * a.block;
    __m512 parts[8];
    __m512i most = _mm512_setzero_si512();
    for (int64_t i = 0; i < a.block / 16; i++) {
      parts[i] = load_some(x, first + 16 * i, kind, count - first - 16 * i);
      most = _mm512_max_epi32(most, _mm512_and_si512(_mm512_castps_si512(parts[i]), magnitude));
    }
    int bits_of_most = _mm512_reduce_max_epi32(most);  // the order of positive floats is that of their bits; NaN is last
    float top;
    memcpy(&top, &bits_of_most, 4);
    const __m512 inverse = _mm512_set1_ps(top > 0 ? 127.0f / top : 0.0f);
    __m512i sum = _mm512_setzero_si512();
    for (int64_t i = 0; i < a.block / 16; i++) {
      __m512i code = _mm512_cvtps_epi32(_mm512_mul_ps(parts[i], inverse));
      sum = _mm512_add_epi32(sum, code);
      _mm_storeu_si128(reinterpret_cast<__m128i*>(value_at(a, row, first + 16 * i)), _mm512_cvtsepi32_epi8(code));
    }
    const int32_t total = _mm512_reduce_add_epi32(sum);
    a.scales[block * a.rows + row] = top / 127.0f;
    a.sums[block * a.rows + row] = total * (bits == 8 ? -128 : -8);
    a.block_sums[block * a.rows + row] = static_cast<float>(total) * (top / 127.0f);
  }
}

// Rows of activations times one tile of weights, or two: two streams keep more reads under way.
template <int Bits, int Rows, int Tiles, bool Zeros>
void tile_rows(const Matrix& w, int64_t tile, const Activations& a, int64_t row, float* sums) {
  const int64_t groups = w.columns / w.group, blocks = w.group / a.block, stretch = a.panel * 64;
  const int64_t size = w.columns * (Bits == 8 ? 16 : 8);  // bytes of a tile
  const uint8_t* codes = w.codes + tile * size;
  const int8_t* x = value_at(a, row, 0);
  const float* scale = a.scales + row;
  const int32_t* bias = a.sums + row;
  const __m512i low = _mm512_set1_epi8(15);
  __m512 y[Tiles][Rows];
  for (int t = 0; t < Tiles; t++)
    for (int m = 0; m < Rows; m++) y[t][m] = _mm512_setzero_ps();
  int64_t column = 0;
  for (int64_t g = 0; g < groups; g++) {
    __m512 part[Tiles][Rows];
    for (int t = 0; t < Tiles; t++)
      for (int m = 0; m < Rows; m++) part[t][m] = _mm512_setzero_ps();
    for (int64_t b = 0; b < blocks; b++) {
      __m512i sum[Tiles][Rows];
      for (int t = 0; t < Tiles; t++)
        for (int m = 0; m < Rows; m++) sum[t][m] = _mm512_set1_epi32(bias[m]);
      for (int64_t c = 0; c < a.block; c += 32, column += 32) {
        const int8_t* here = x + column / 64 * stretch + column % 64;
#pragma GCC unroll 8
        for (int j = 0; j < 32; j += Bits == 8 ? 4 : 8) {
#pragma GCC unroll 2
          for (int t = 0; t < Tiles; t++) {
            const uint8_t* from = codes + t * size;
            const __m512i v = _mm512_loadu_si512(from);
            _mm_prefetch(reinterpret_cast<const char*>(from) + AHEAD, _MM_HINT_T0);
            if (Bits == 8) {
              for (int m = 0; m < Rows; m++)
                sum[t][m] = _mm512_dpbusd_epi32(sum[t][m], v, _mm512_set1_epi32(four(here + 64 * m + j)));
            } else {
              const __m512i even = _mm512_and_si512(v, low), odd = _mm512_and_si512(_mm512_srli_epi16(v, 4), low);
              for (int m = 0; m < Rows; m++) {
                sum[t][m] = _mm512_dpbusd_epi32(sum[t][m], even, _mm512_set1_epi32(four(here + 64 * m + j)));
                sum[t][m] = _mm512_dpbusd_epi32(sum[t][m], odd, _mm512_set1_epi32(four(here + 64 * m + j + 4)));
              }
            }
          }
          codes += 64;
        }
      }
      for (int t = 0; t < Tiles; t++)
        for (int m = 0; m < Rows; m++)
          part[t][m] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum[t][m]), _mm512_set1_ps(scale[m]), part[t][m]);
      scale += a.rows;
      bias += a.rows;
    }
    for (int t = 0; t < Tiles; t++) {
      const int64_t at = ((tile + t) * groups + g) * 16;
      const __m512 step = load(w.scales, at, FLOAT16);
      for (int m = 0; m < Rows; m++) y[t][m] = _mm512_fmadd_ps(part[t][m], step, y[t][m]);
      if (Zeros) {
        __m128i zeros = _mm_loadu_si128(reinterpret_cast<const __m128i*>(w.zeros + at));
        const __m512 zero = _mm512_mul_ps(step, _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(zeros)));
        for (int64_t b = g * blocks; b < (g + 1) * blocks; b++)
          for (int m = 0; m < Rows; m++)
            y[t][m] = _mm512_fnmadd_ps(zero, _mm512_set1_ps(a.block_sums[b * a.rows + row + m]), y[t][m]);
      }
    }
  }
  for (int m = 0; m < Rows; m++)
    for (int t = 0; t < Tiles; t++) _mm512_storeu_ps(sums + 16 * (m * Tiles + t), y[t][m]);
}

using TileRows = void (*)(const Matrix&, int64_t, const Activations&, int64_t, float*);
#define ROWS_1_TO_8(bits, tiles, zeros)                                                                            \
  {tile_rows<bits, 1, tiles, zeros>, tile_rows<bits, 2, tiles, zeros>, tile_rows<bits, 3, tiles, zeros>,           \
   tile_rows<bits, 4, tiles, zeros>, tile_rows<bits, 5, tiles, zeros>, tile_rows<bits, 6, tiles, zeros>,           \
   tile_rows<bits, 7, tiles, zeros>, tile_rows<bits, 8, tiles, zeros>}
const TileRows one_tile[2][2][8] = {{ROWS_1_TO_8(4, 1, false), ROWS_1_TO_8(4, 1, true)},
                                    {ROWS_1_TO_8(8, 1, false), ROWS_1_TO_8(8, 1, true)}};
const TileRows two_tiles[2][2][8] = {{ROWS_1_TO_8(4, 2, false), ROWS_1_TO_8(4, 2, true)},
                                     {ROWS_1_TO_8(8, 2, false), ROWS_1_TO_8(8, 2, true)}};

void tile(const Matrix& w, int64_t tile, int64_t count, const Activations& a, int64_t begin, int64_t end, float* sums) {
  const auto& table = count == 1 ? one_tile : two_tiles;
  table[w.bits == 8][w.zeros != nullptr][end - begin - 1](w, tile, a, begin, sums);
}

// Eight rows at a time, each a stream; 64 columns of each per round.
template <bool Bfloat>
void half_rows_of(const uint16_t* w, int64_t rows, int64_t columns, const void* x, float* sums) {
  const int kind = Bfloat ? BFLOAT16 : FLOAT16;
  for (int64_t row = 0; row < rows; row += 8) {
    const int64_t count = rows - row < 8 ? rows - row : 8;
    const uint16_t* from[8];
    for (int r = 0; r < 8; r++) from[r] = w + (row + (r < count ? r : 0)) * columns;
    __m512 sum[8];
    for (int r = 0; r < 8; r++) sum[r] = _mm512_setzero_ps();
    int64_t c = 0;
    for (; c + 32 <= columns; c += 32) {
      const __m512 one = load(x, c, kind), two = load(x, c + 16, kind);
      for (int r = 0; r < 8; r++) {
        _mm_prefetch(reinterpret_cast<const char*>(from[r] + c) + 1024, _MM_HINT_T0);
        sum[r] = _mm512_fmadd_ps(load(from[r], c, kind), one, sum[r]);
        sum[r] = _mm512_fmadd_ps(load(from[r], c + 16, kind), two, sum[r]);
      }
    }
    for (; c < columns; c += 16) {
      const __m512 one = load_some(x, c, kind, columns - c);
      for (int r = 0; r < 8; r++) sum[r] = _mm512_fmadd_ps(load_some(from[r], c, kind, columns - c), one, sum[r]);
    }
    for (int r = 0; r < count; r++) sums[row + r] = _mm512_reduce_add_ps(sum[r]);
  }
}

void half_rows(const uint16_t* w, int kind, int64_t rows, int64_t columns, const void* x, float* sums) {
  kind == BFLOAT16 ? half_rows_of<true>(w, rows, columns, x, sums) : half_rows_of<false>(w, rows, columns, x, sums);
}

// ---- AMX ----

struct alignas(64) TileConfig {
  uint8_t palette = 1, start = 0, reserved[14] = {};
  uint16_t bytes[16] = {};
  uint8_t rows[16] = {};
};

// Tiles 0..3 hold sums of 16 x 16, 4 and 5 sixteen activation rows, 6 and 7 sixteen weight rows, all of `depth` columns.
void configure(int64_t depth, int64_t panel) {
  TileConfig config;
  for (int i = 0; i < 8; i++) {
    config.bytes[i] = static_cast<uint16_t>(i == 4 || i == 5 ? depth : 64);
    config.rows[i] = static_cast<uint8_t>(i < 6 ? panel : depth / 4);
  }
  __asm__ volatile("" : : "r"(&config) : "memory");  // gcc believes that only eight bytes are read, and drops the rest
  _tile_loadconfig(&config);
}

// The codes of a tile of sixteen rows, a byte each, with their sign.
void spread(const uint8_t* codes, int64_t columns, int bits, uint8_t* to) {
  const __m512i low = _mm512_set1_epi8(15), half = _mm512_set1_epi8(static_cast<char>(bits == 8 ? 128 : 8));
  for (const uint8_t* end = to + columns * 16; to < end; codes += 64) {
    const __m512i v = _mm512_loadu_si512(codes);
    _mm_prefetch(reinterpret_cast<const char*>(codes) + AHEAD, _MM_HINT_T0);
    if (bits == 8) {
      _mm512_store_si512(to, _mm512_sub_epi8(v, half));
      to += 64;
    } else {
      _mm512_store_si512(to, _mm512_sub_epi8(_mm512_and_si512(v, low), half));
      _mm512_store_si512(to + 64, _mm512_sub_epi8(_mm512_and_si512(_mm512_srli_epi16(v, 4), low), half));
      to += 128;
    }
  }
}

// Adds sums of whole numbers [rows, 16] of a block of columns to `to` [rows, stride], times their scales.
template <bool Zeros>
void rescale(const Matrix& w, int64_t tile, int64_t block, const Activations& a, int64_t row, const int32_t* from,
             float* to, int64_t stride) {
  const int64_t group = block * a.block / w.group, at = (tile * (w.columns / w.group) + group) * 16;
  const __m512 step = load(w.scales, at, FLOAT16);
  const float* scale = a.scales + block * a.rows + row;
  const float* sums = a.block_sums + block * a.rows + row;
  __m512 zero = _mm512_setzero_ps();
  if (Zeros) {
    __m128i zeros = _mm_loadu_si128(reinterpret_cast<const __m128i*>(w.zeros + at));
    zero = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(zeros));
  }
  for (int64_t m = 0; m < a.panel; m++) {
    __m512 part = _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_load_si512(from + 16 * m)), _mm512_set1_ps(scale[m]));
    if (Zeros) part = _mm512_fnmadd_ps(zero, _mm512_set1_ps(sums[m]), part);
    _mm512_storeu_ps(to + m * stride, _mm512_fmadd_ps(part, step, _mm512_loadu_ps(to + m * stride)));
  }
}

// One or two panels of activations times one or two tiles: sums of a block of columns, [panel, tile, 16, 16].
template <int Panels, int Tiles>
void multiply(const Activations& a, int64_t row, int64_t begin, int64_t end, int64_t depth, const uint8_t* codes,
              int64_t size, int32_t* sums) {
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  const int64_t stretch = a.panel * 64, next = a.columns / 64 * stretch;
  const int8_t* x = value_at(a, row, 0);
  for (int64_t c = begin; c < end; c += depth) {
    const int8_t* here = x + (c >> 6) * stretch + (c & 63);
    _tile_loadd(6, codes + c * 16, 64);
    _tile_loadd(4, here, 64);
    _tile_dpbssd(0, 4, 6);
    if (Tiles == 2) {
      _tile_loadd(7, codes + size + c * 16, 64);
      _tile_dpbssd(1, 4, 7);
    }
    if (Panels == 2) {
      _tile_loadd(5, here + next, 64);
      _tile_dpbssd(2, 5, 6);
      if (Tiles == 2) _tile_dpbssd(3, 5, 7);
    }
  }
  _tile_stored(0, sums, 64);
  if (Tiles == 2) _tile_stored(1, sums + 256, 64);
  if (Panels == 2) _tile_stored(2, sums + 512, 64);
  if (Panels == 2 && Tiles == 2) _tile_stored(3, sums + 768, 64);
}

// The sums of a block are rescaled while the tiles of the next are multiplied.
template <int Panels, int Tiles>
void sweep(const Matrix& w, int64_t tile, const Activations& a, int64_t row, const uint8_t* codes, int64_t depth,
           int32_t* whole, float* sums, int64_t stride) {
  const auto work = w.zeros ? rescale<true> : rescale<false>;
  const int64_t blocks = a.columns / a.block;
  for (int64_t b = 0; b <= blocks; b++) {
    if (b < blocks)
      multiply<Panels, Tiles>(a, row, b * a.block, (b + 1) * a.block, depth, codes, w.columns * 16, whole + b % 2 * 1024);
    if (b == 0) continue;
    const int32_t* from = whole + (b - 1) % 2 * 1024;
    for (int p = 0; p < Panels; p++)
      for (int t = 0; t < Tiles; t++)
        work(w, tile + t, b - 1, a, row + p * a.panel, from + (2 * p + t) * 256, sums + p * a.panel * stride + t * 16,
             stride);
  }
}

void block(const Matrix& w, int64_t tile, int64_t count, const Activations& a, float* sums, void* scratch) {
  int32_t* whole = static_cast<int32_t*>(scratch);
  uint8_t* codes = static_cast<uint8_t*>(scratch) + 8192;
  const int64_t size = w.columns * 16, stride = count * 16, depth = a.block < 64 ? a.block : 64;
  for (int64_t t = 0; t < count; t++) spread(w.codes + (tile + t) * size * w.bits / 8, w.columns, w.bits, codes + t * size);
  TileConfig others;  // a library that set the tiles up for good finds them as it left them
  _tile_storeconfig(&others);
  __asm__ volatile("" : : "r"(&others) : "memory");
  configure(depth, a.panel);
  memset(sums, 0, sizeof(float) * a.rows * stride);
  for (int64_t row = 0; row < a.rows; row += 2 * a.panel)
    for (int64_t t = 0; t < count; t += 2) {
      const bool two_panels = row + a.panel < a.rows, two_tiles = t + 1 < count;
      const auto go = two_panels ? (two_tiles ? sweep<2, 2> : sweep<2, 1>) : (two_tiles ? sweep<1, 2> : sweep<1, 1>);
      go(w, tile + t, a, row, codes + t * size, depth, whole, sums + row * stride + t * 16, stride);
    }
  if (others.palette) _tile_loadconfig(&others);
  else _tile_release();
}

const Level avx512 = {"avx512", quantise, tile, nullptr, half_rows, rms_norm, swiglu, store};
const Level amx = {"amx", quantise, tile, block, half_rows, rms_norm, swiglu, store};

}  // namespace

const Level* const avx512_level = &avx512;
const Level* const amx_level = &amx;
#if defined(__clang__)
#pragma clang attribute pop
#endif
#else
const Level* const avx512_level = nullptr;
const Level* const amx_level = nullptr;
#endif
