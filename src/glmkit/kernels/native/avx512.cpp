// AVX-512 with VNNI; on processors with AMX the same for few rows and tiles for many.
#include "matrix.h"

#if defined(__x86_64__) && defined(__GNUC__)
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512vbmi,avx2,fma,f16c,amx-tile,amx-int8,amx-bf16"))), apply_to = function)
#else
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512vbmi,avx2,fma,f16c,amx-tile,amx-int8,amx-bf16")
#endif
#include <immintrin.h>
#include <string.h>

#include "small.h"

namespace {

const int64_t AHEAD = 1024;  // bytes

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
      __m512i sum[Tiles][Rows], high[Tiles][Rows];  // of the upper halves of bytes, where they lie: 16 times too much
      for (int t = 0; t < Tiles; t++)
        for (int m = 0; m < Rows; m++) sum[t][m] = _mm512_set1_epi32(bias[m]), high[t][m] = _mm512_setzero_si512();
      for (int64_t c = 0; c < a.block; c += 32, column += 32) {
        const int8_t* here = x + column / 64 * stretch + column % 64;
#pragma GCC unroll 8
        for (int j = 0; j < 32; j += Bits == 8 ? 4 : 8) {
#pragma GCC unroll 2
          for (int t = 0; t < Tiles; t++) {
            const uint8_t* from = codes + t * size;
            const __m512i v = _mm512_loadu_si512(from);
            _mm_prefetch(reinterpret_cast<const char*>(from) + (Bits == 8 ? AHEAD : AHEAD / 2), _MM_HINT_T0);
            if (Bits == 8) {
              for (int m = 0; m < Rows; m++)
                sum[t][m] = _mm512_dpbusd_epi32(sum[t][m], v, _mm512_set1_epi32(four(here + 64 * m + j)));
            } else {
              const __m512i even = _mm512_and_si512(v, low), odd = _mm512_andnot_si512(low, v);
              for (int m = 0; m < Rows; m++) {
                sum[t][m] = _mm512_dpbusd_epi32(sum[t][m], even, _mm512_set1_epi32(four(here + 64 * m + j)));
                high[t][m] = _mm512_dpbusd_epi32(high[t][m], odd, _mm512_set1_epi32(four(here + 64 * m + j + 4)));
              }
            }
          }
          codes += 64;
        }
      }
      for (int t = 0; t < Tiles; t++)
        for (int m = 0; m < Rows; m++) {
          if (Bits == 4) sum[t][m] = _mm512_add_epi32(sum[t][m], _mm512_srai_epi32(high[t][m], 4));
          part[t][m] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum[t][m]), _mm512_set1_ps(scale[m]), part[t][m]);
        }
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

// The tile registers, set up as long as this lives: 0 to 3 hold sums of 16 x 16, 4 and 5 `panel` rows of activations of
// `depth` bytes, 6 and 7 as many columns of sixteen weight rows. A library that set them up for good finds them so again.
class Registers {
 public:
  Registers(int64_t depth, int64_t panel) {
    _tile_storeconfig(&others);
    __asm__ volatile("" : : "r"(&others) : "memory");
    TileConfig config;
    for (int i = 0; i < 8; i++) {
      config.bytes[i] = static_cast<uint16_t>(i == 4 || i == 5 ? depth : 64);
      config.rows[i] = static_cast<uint8_t>(i < 6 ? panel : depth / 4);
    }
    __asm__ volatile("" : : "r"(&config) : "memory");  // gcc believes that only eight bytes are read, and drops the rest
    _tile_loadconfig(&config);
  }
  ~Registers() {
    if (others.palette) _tile_loadconfig(&others);
    else _tile_release();
  }

 private:
  TileConfig others;
};

// Columns begin..end-1 of a tile's codes, a byte each: less 128, or for 4 bits less 8 and the zero of their group.
void spread(const Matrix& w, int64_t tile, int64_t begin, int64_t end, uint8_t* to) {
  const uint8_t* codes = w.codes + (tile * w.columns + begin) * 2 * w.bits;
  const __m512i low = _mm512_set1_epi8(15), half = _mm512_set1_epi8(static_cast<char>(w.bits == 8 ? 128 : 8));
  const __m512i four_times = _mm512_set1_epi32(0x01010101);
  __m512i zero = half;
  for (int64_t c = begin; c < end; c += 32) {
    if (w.bits == 4 && w.zeros && (c == begin || c % w.group == 0)) {
      const int8_t* of = w.zeros + (tile * (w.columns / w.group) + c / w.group) * 16;
      const __m512i zeros = _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(of)));
      zero = _mm512_add_epi8(half, _mm512_mullo_epi32(zeros, four_times));
    }
#pragma GCC unroll 8
    for (int j = 0; j < (w.bits == 8 ? 8 : 4); j++, codes += 64) {
      const __m512i v = _mm512_loadu_si512(codes);
      _mm_prefetch(reinterpret_cast<const char*>(codes) + AHEAD, _MM_HINT_T0);
      if (w.bits == 8) {
        _mm512_store_si512(to, _mm512_sub_epi8(v, zero));
        to += 64;
      } else {
        _mm512_store_si512(to, _mm512_sub_epi8(_mm512_and_si512(v, low), zero));
        _mm512_store_si512(to + 64, _mm512_sub_epi8(_mm512_and_si512(_mm512_srli_epi16(v, 4), low), zero));
        to += 128;
      }
    }
  }
}

const int64_t TOGETHER = 2;  // blocks of columns whose whole sums are kept until all of them are rescaled

// Adds whole sums [blocks, 4, panel, 16] of one tile, times their scales, to `to` [panel, 16].
void rescale(const float* steps, const Activations& a, int64_t row, int64_t block, int64_t blocks, const int32_t* from,
             float* to) {
  for (int64_t m = 0; m < a.panel; m += 8, from += 128, to += 128) {
    __m512 y[8];
    for (int r = 0; r < 8; r++) y[r] = _mm512_load_ps(to + 16 * r);
    for (int64_t b = 0; b < blocks; b++) {
      const __m512 step = _mm512_load_ps(steps + 16 * (block + b));
      const float* scale = a.scales + (block + b) * a.rows + row + m;
      for (int r = 0; r < 8; r++) {
        const __m512 part = _mm512_cvtepi32_ps(_mm512_load_si512(from + 1024 * b + 16 * r));
        y[r] = _mm512_fmadd_ps(part, _mm512_mul_ps(step, _mm512_set1_ps(scale[r])), y[r]);
      }
    }
    for (int r = 0; r < 8; r++) _mm512_store_ps(to + 16 * r, y[r]);
  }
}

// One or two panels of activations from column `begin` on times one or two tiles of codes `size` bytes apart: whole
// sums of a block of columns, [panel, tile, 16, 16].
template <int Panels, int Count>
void multiply(const Activations& a, int64_t begin, int64_t depth, const uint8_t* codes, int64_t size,
              int32_t* sums) {
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  const int64_t stretch = a.panel * 64, next = a.columns / 64 * stretch;
  const int8_t* x = a.values;
  for (int64_t c = begin; c < begin + a.block; c += depth, codes += depth * 16) {
    const int8_t* here = x + (c >> 6) * stretch + (c & 63);
    _tile_loadd(6, codes, 64);
    _tile_loadd(4, here, 64);
    _tile_dpbssd(0, 4, 6);
    if (Count == 2) {
      _tile_loadd(7, codes + size, 64);
      _tile_dpbssd(1, 4, 7);
    }
    if (Panels == 2) {
      _tile_loadd(5, here + next, 64);
      _tile_dpbssd(2, 5, 6);
      if (Count == 2) _tile_dpbssd(3, 5, 7);
    }
  }
  _tile_stored(0, sums, 64);
  if (Count == 2) _tile_stored(1, sums + 256, 64);
  if (Panels == 2) _tile_stored(2, sums + 512, 64);
  if (Panels == 2 && Count == 2) _tile_stored(3, sums + 768, 64);
}

struct Workshop {  // where a thread multiplies
  alignas(64) int32_t whole[2][TOGETHER][1024];
  alignas(64) float sums[4][256];
  alignas(64) uint8_t codes[2 * TOGETHER * 128 * 16];
};

// All columns. Whole sums of some blocks are rescaled while the tiles of the next are multiplied.
template <int Panels, int Count>
void sweep(const Matrix& w, int64_t tile, const Activations& a, const float* steps, int64_t depth, Workshop& shop) {
  const int64_t blocks = a.columns / a.block;
  memset(shop.sums, 0, sizeof(shop.sums));
  for (int64_t first = 0; first < blocks + TOGETHER; first += TOGETHER) {
    const int64_t turn = first / TOGETHER % 2, before = first - TOGETHER;
    const int64_t begin = first * a.block, end = begin + TOGETHER * a.block;
    const int64_t size = TOGETHER * a.block * 16;
    for (int t = 0; t < Count; t++)
      spread(w, tile + t, begin, end < a.columns ? end : a.columns, shop.codes + t * size);
    for (int64_t j = 0; j < TOGETHER; j++) {
      if (first + j < blocks)
        multiply<Panels, Count>(a, begin + j * a.block, depth, shop.codes + j * a.block * 16, size, shop.whole[turn][j]);
      for (int64_t i = j * 4 / TOGETHER; i < (j + 1) * 4 / TOGETHER; i++) {
        const int64_t p = i / 2, t = i % 2;
        if (before >= 0 && p < Panels && t < Count)
          rescale(steps + t * blocks * 16, a, p * a.panel, before,
                  blocks - before < TOGETHER ? blocks - before : TOGETHER, shop.whole[1 - turn][0] + 256 * i, shop.sums[i]);
      }
    }
  }
}

// What 8-bit codes with zeros have too much: the zero times the activations, for sums [rows of a panel, 16].
void take_zeros(const Matrix& w, int64_t tile, const Activations& a, int64_t row, const float* steps, float* sums) {
  for (int64_t b = 0; b < a.columns / a.block; b++) {
    const int8_t* of = w.zeros + (tile * (w.columns / w.group) + b * a.block / w.group) * 16;
    const __m512 zeros = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(of))));
    const __m512 zero = _mm512_mul_ps(zeros, _mm512_load_ps(steps + 16 * b));
    for (int64_t m = 0; m < a.panel; m++) {
      const __m512 sum = _mm512_set1_ps(a.block_sums[b * a.rows + row + m]);
      _mm512_store_ps(sums + 16 * m, _mm512_fnmadd_ps(zero, sum, _mm512_load_ps(sums + 16 * m)));
    }
  }
}

// A few rows: the activations are rounded to 8 bits, in one or two panels.
void block(const Matrix& w, int64_t tile, int64_t count, const Activations& a, float* sums, void* scratch) {
  Workshop& shop = *static_cast<Workshop*>(scratch);
  const int64_t depth = a.block < 64 ? a.block : 64, panels = a.rows / a.panel, blocks = a.columns / a.block;
  float* steps = reinterpret_cast<float*>(&shop + 1);
  for (int64_t t = 0; t < count; t++)
    for (int64_t b = 0; b < blocks; b++) {
      const int64_t at = ((tile + t) * (w.columns / w.group) + b * a.block / w.group) * 16;
      _mm512_store_ps(steps + (t * blocks + b) * 16, load(w.scales, at, FLOAT16));
    }
  const Registers mine(depth, a.panel);
  const auto go = panels == 2 ? (count == 2 ? sweep<2, 2> : sweep<2, 1>) : (count == 2 ? sweep<1, 2> : sweep<1, 1>);
  go(w, tile, a, steps, depth, shop);
  for (int64_t p = 0; p < panels; p++)
    for (int64_t t = 0; t < count; t++) {
      float* from = shop.sums[2 * p + t];
      if (w.bits == 8 && w.zeros) take_zeros(w, tile + t, a, p * a.panel, steps + t * blocks * 16, from);
      for (int64_t m = 0; m < a.panel; m++)
        _mm512_storeu_ps(sums + ((p * a.panel + m) * count + t) * 16, _mm512_load_ps(from + 16 * m));
    }
}

// Many rows: the weights are spelled out as bfloat16 numbers, which takes no rescaling.

// Columns begin..end-1 of a tile as bfloat16: [columns / 2, 16, 2].
template <int Bits>
void spell(const Matrix& w, int64_t tile, int64_t begin, int64_t end, uint16_t* to) {
  const uint8_t* codes = w.codes + (tile * w.columns + begin) * 2 * Bits;
  const int64_t group = w.group, groups = w.columns / group, each = group < 64 ? group : 64;
  // A code in the upper bits of a mantissa is 128 (256 for 8 bits) more than itself.
  const __m512i mask = _mm512_set1_epi32(Bits == 8 ? 0x7f8000 : 0xf0000);
  const __m512i more = _mm512_set1_epi32(Bits == 8 ? 0x43800000 : 0x43000000);
  const __m512i rounding = _mm512_set1_epi32(0x8000);
  __m512i uppers = _mm512_setzero_si512();
  for (int i = 0; i < 16; i++)
    uppers = _mm512_mask_set1_epi32(uppers, static_cast<__mmask16>(1 << i), (2 * i + 1) | (32 + 2 * i + 1) << 16);
  __m512 step = _mm512_setzero_ps(), less = step;
  for (int64_t c = begin; c < end; c += each) {
    if (c == begin || c % group == 0) {
      const int64_t at = (tile * groups + c / group) * 16;
      step = load(w.scales, at, FLOAT16);
      __m512i zero = _mm512_set1_epi32(Bits == 8 ? 384 : 136);
      if (w.zeros)
        zero = _mm512_add_epi32(zero, _mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(w.zeros + at))));
      less = _mm512_mul_ps(step, _mm512_cvtepi32_ps(zero));
    }
    for (int64_t i = 0; i < each; i += Bits == 8 ? 4 : 8, codes += 64) {
      const __m512i v = _mm512_loadu_si512(codes);
      _mm_prefetch(reinterpret_cast<const char*>(codes) + AHEAD, _MM_HINT_T0);
      auto pair = [&](__m512i even, __m512i odd) {
        even = _mm512_ternarylogic_epi32(even, mask, more, 0xea);  // (even & mask) | more
        odd = _mm512_ternarylogic_epi32(odd, mask, more, 0xea);
        even = _mm512_castps_si512(_mm512_fmsub_ps(_mm512_castsi512_ps(even), step, less));
        odd = _mm512_castps_si512(_mm512_fmsub_ps(_mm512_castsi512_ps(odd), step, less));
        even = _mm512_add_epi32(even, rounding);
        odd = _mm512_add_epi32(odd, rounding);
        _mm512_store_si512(to, _mm512_permutex2var_epi16(even, uppers, odd));
        to += 32;
      };
      if (Bits == 8) {
        pair(_mm512_slli_epi32(v, 15), _mm512_slli_epi32(v, 7));
        pair(_mm512_srli_epi32(v, 1), _mm512_srli_epi32(v, 9));
      } else {
        pair(_mm512_slli_epi32(v, 16), _mm512_slli_epi32(v, 8));
        pair(v, _mm512_srli_epi32(v, 8));
        pair(_mm512_slli_epi32(v, 12), _mm512_slli_epi32(v, 4));
        pair(_mm512_srli_epi32(v, 4), _mm512_srli_epi32(v, 12));
      }
    }
  }
}

// A row of `count` numbers as bfloat16 into its place in a panel, padded with zeros to `columns`.
void panel_row(const void* x, int kind, int64_t count, int64_t columns, uint16_t* to) {
  for (int64_t c = 0; c < columns; c += 32, to += 512)
    for (int h = 0; h < 32; h += 16)
      _mm256_store_si256(reinterpret_cast<__m256i*>(to + h), to_bfloat16(load_some(x, c + h, kind, count - c - h)));
}

// Two panels [columns / 32, 16, 32] times one or two tiles as `spell` leaves them: adds to sums [32, stride].
template <int Count>
void strip(const uint16_t* x, int64_t next, const uint16_t* w, int64_t size, int64_t columns, float* sums,
           int64_t stride, bool first) {
  if (first) {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
  } else {
    _tile_loadd(0, sums, stride * 4);
    if (Count == 2) _tile_loadd(1, sums + 16, stride * 4);
    _tile_loadd(2, sums + 16 * stride, stride * 4);
    if (Count == 2) _tile_loadd(3, sums + 16 * stride + 16, stride * 4);
  }
  for (int64_t c = 0; c < columns; c += 32, x += 512, w += 512) {
    _tile_loadd(6, w, 64);
    _tile_loadd(4, x, 64);
    _tile_dpbf16ps(0, 4, 6);
    if (Count == 2) {
      _tile_loadd(7, w + size, 64);
      _tile_dpbf16ps(1, 4, 7);
    }
    _tile_loadd(5, x + next, 64);
    _tile_dpbf16ps(2, 5, 6);
    if (Count == 2) _tile_dpbf16ps(3, 5, 7);
  }
  _tile_stored(0, sums, stride * 4);
  if (Count == 2) _tile_stored(1, sums + 16, stride * 4);
  _tile_stored(2, sums + 16 * stride, stride * 4);
  if (Count == 2) _tile_stored(3, sums + 16 * stride + 16, stride * 4);
}

void product(const Matrix& w, int64_t tile, int64_t count, const uint16_t* x, int64_t rows, float* sums, int64_t stride,
             uint16_t* scratch) {
  const Registers mine(64, 16);
  const int64_t next = w.columns * 16;  // from panel to panel
  for (int64_t begin = 0; begin < w.columns; begin += DEPTH) {
    const int64_t end = begin + DEPTH < w.columns ? begin + DEPTH : w.columns, size = (end - begin) * 16;
    for (int64_t t = 0; t < count; t += 2) {
      const int64_t tiles = t + 1 < count ? 2 : 1;
      for (int64_t i = 0; i < tiles; i++) (w.bits == 8 ? spell<8> : spell<4>)(w, tile + t + i, begin, end, scratch + i * size);
      for (int64_t row = 0; row < rows; row += 32)
        (tiles == 2 ? strip<2> : strip<1>)(x + row / 16 * next + begin * 16, next, scratch, size, end - begin,
                                           sums + row * stride + t * 16, stride, begin == 0);
    }
  }
}

const Level avx512 = {"avx512", quantise, tile, nullptr, 0, nullptr, nullptr, half_rows, rms_norm, swiglu, turn, store};
const Level amx = {"amx", quantise, tile, block, sizeof(Workshop), panel_row, product, half_rows, rms_norm, swiglu, turn, store};

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
