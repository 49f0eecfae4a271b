// AVX-512 with VNNI; on processors with AMX the same for few rows and tiles for many.
#include "matrix.h"

#if defined(__x86_64__) && defined(__GNUC__)
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512vbmi,avx2,fma,f16c,amx-tile,amx-int8,amx-bf16"))), apply_to = function)
#else
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512vbmi,avx2,fma,f16c,amx-tile,amx-int8,amx-bf16")
#endif
#if !defined(__clang__)  // gcc's own header leaves operands that no instruction reads uninitialized, and warns of them
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
#include <immintrin.h>
#if !defined(__clang__)
#pragma GCC diagnostic pop
#endif
#include <string.h>

#include "small.h"

namespace {

// Asks for the bytes that a stream will come to: soon for the first cache, later for the second, and so far off that its
// own reading ahead, which ends with every 4 KiB, wakes in time. Three such streams read a fifth faster than plain loads.
// Volatile, since compilers move prefetches together, where they wait for each other.
inline void ask_ahead(const void* p) { __asm__ volatile("prefetcht0 1536(%0)\n\tprefetcht1 3584(%0)" : : "r"(p)); }

__m512 load(const void* p, int64_t i, int kind) {
  if (kind == FLOAT32) return _mm512_loadu_ps(static_cast<const float*>(p) + i);
  __m256i half = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(static_cast<const uint16_t*>(p) + i));
  if (kind == FLOAT16) return _mm512_cvtph_ps(half);
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
}

__m512 load_some(const void* p, int64_t i, int kind, int64_t count) {  // zeros behind `count`
  const auto mask = static_cast<__mmask16>(count >= 16 ? 0xffffu : count <= 0 ? 0u : (1u << count) - 1);
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
    const auto mask = static_cast<__mmask16>(left >= 16 ? 0xffffu : (1u << left) - 1);
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

void quantize(const void* x, int kind, int64_t count, const Activations& a, int64_t row, int bits) {
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
      __m512i integer = _mm512_cvtps_epi32(_mm512_mul_ps(parts[i], inverse));
      integer = _mm512_max_epi32(integer, _mm512_set1_epi32(-128));  // of NaN it is the lowest of all
      sum = _mm512_add_epi32(sum, integer);
      _mm_storeu_si128(reinterpret_cast<__m128i*>(value_at(a, row, first + 16 * i)), _mm512_cvtsepi32_epi8(integer));
    }
    const int32_t total = _mm512_reduce_add_epi32(sum);
    a.scales[block * a.rows + row] = top / 127.0f;
    a.sums[block * a.rows + row] = total * (bits == 8 ? -128 : -8);
    a.block_sums[block * a.rows + row] = static_cast<float>(total) * (top / 127.0f);
  }
}

// Rows of activations times `count` tiles of each of a few streams, that follow each other in memory.
template <int Bits, int Rows, int Streams, bool Zeros>
void stream(const Matrix& w, int64_t first, int64_t count, const Activations& a, int64_t row, float* sums,
            int64_t stride) {
  const int64_t groups = w.columns / w.group, blocks = w.group / a.block, stretch = a.panel * 64;
  const int64_t next = count * w.tile_bytes();  // from stream to stream
  const __m512i low = _mm512_set1_epi8(15);
  const uint8_t* from = w.tile_block(first, 0);
  for (int64_t i = 0; i < count; i++) {
    const int8_t* x = value_at(a, row, 0);
    int64_t at = row, column = 0;
    __m512 y[Streams][Rows];
    for (int t = 0; t < Streams; t++)
      for (int m = 0; m < Rows; m++) y[t][m] = _mm512_setzero_ps();
    for (int64_t g = 0; g < groups; g++) {
      __m512 part[Streams][Rows];
      float total[Rows] = {};
      for (int t = 0; t < Streams; t++)
        for (int m = 0; m < Rows; m++) part[t][m] = _mm512_setzero_ps();
      for (int64_t b = 0; b < blocks; b++, at += a.rows) {
        __m512i sum[Streams][Rows];
        for (int t = 0; t < Streams; t++)
          for (int m = 0; m < Rows; m++) sum[t][m] = _mm512_set1_epi32(a.sums[at + m]);
        for (int64_t end = column + a.block; column < end; column += 32) {
          const int8_t* here = x + column / 64 * stretch + column % 64;
#pragma GCC unroll 8
          for (int j = 0; j < 32; j += Bits == 8 ? 4 : 8, from += 64) {
#pragma GCC unroll 3
            for (int t = 0; t < Streams; t++) {
              const __m512i v = _mm512_loadu_si512(from + t * next);
              ask_ahead(from + t * next);
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
          }
        }
        for (int m = 0; m < Rows; m++) {
          const __m512 scale = _mm512_set1_ps(a.scales[at + m]);
          for (int t = 0; t < Streams; t++) part[t][m] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum[t][m]), scale, part[t][m]);
          if (Zeros) total[m] += a.block_sums[at + m];
        }
      }
#pragma GCC unroll 3
      for (int t = 0; t < Streams; t++) {
        const uint8_t* here = from + t * next;
        ask_ahead(here);
        const __m512 step = load(here, 0, FLOAT16);
        if (Zeros) {
          const __m512i zeros = _mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(here + 32)));
          const __m512 zero = _mm512_cvtepi32_ps(zeros);
          for (int m = 0; m < Rows; m++) part[t][m] = _mm512_fnmadd_ps(zero, _mm512_set1_ps(total[m]), part[t][m]);
        }
        for (int m = 0; m < Rows; m++) y[t][m] = _mm512_fmadd_ps(part[t][m], step, y[t][m]);
      }
      from += Zeros ? 48 : 32;
    }
    for (int m = 0; m < Rows; m++)
      for (int t = 0; t < Streams; t++) _mm512_storeu_ps(sums + m * stride + 16 * (t * count + i), y[t][m]);
  }
}

using Stream = void (*)(const Matrix&, int64_t, int64_t, const Activations&, int64_t, float*, int64_t);
#define BITS_AND_ZEROS(rows, streams)                                      \
  {{stream<4, rows, streams, false>, stream<4, rows, streams, true>}, \
   {stream<8, rows, streams, false>, stream<8, rows, streams, true>}}
// As many streams as there are registers for.
const int STREAMS[8] = {3, 3, 2, 2, 1, 1, 1, 1};
const Stream together[8][2][2] = {BITS_AND_ZEROS(1, 3), BITS_AND_ZEROS(2, 3), BITS_AND_ZEROS(3, 2), BITS_AND_ZEROS(4, 2),
                                  BITS_AND_ZEROS(5, 1), BITS_AND_ZEROS(6, 1), BITS_AND_ZEROS(7, 1), BITS_AND_ZEROS(8, 1)};
const Stream alone[8][2][2] = {BITS_AND_ZEROS(1, 1), BITS_AND_ZEROS(2, 1), BITS_AND_ZEROS(3, 1), BITS_AND_ZEROS(4, 1),
                               BITS_AND_ZEROS(5, 1), BITS_AND_ZEROS(6, 1), BITS_AND_ZEROS(7, 1), BITS_AND_ZEROS(8, 1)};

void tiles(const Matrix& w, int64_t tile, int64_t count, const Activations& a, int64_t begin, int64_t end, float* sums) {
  const int64_t rows = end - begin, streams = STREAMS[rows - 1], each = count / streams, done = each * streams;
  if (each) together[rows - 1][w.bits == 8][w.zeros](w, tile, each, a, begin, sums, count * 16);
  if (done < count) alone[rows - 1][w.bits == 8][w.zeros](w, tile + done, count - done, a, begin, sums + done * 16, count * 16);
}

// A row of each of a few streams, `next` elements apart, times some rows of x; sums [Rows, stride], `count` apart.
template <bool Bfloat, int Streams, int Rows>
void half_dots(const uint16_t* w, int64_t next, int64_t columns, const float* x, float* sums, int64_t count,
               int64_t stride) {
  const int kind = Bfloat ? BFLOAT16 : FLOAT16;
  __m512 sum[Streams][Rows][2];
  for (int t = 0; t < Streams; t++)
    for (int m = 0; m < Rows; m++) sum[t][m][0] = sum[t][m][1] = _mm512_setzero_ps();
  int64_t c = 0;
  for (; c + 32 <= columns; c += 32) {
#pragma GCC unroll 2
    for (int half = 0; half < 2; half++) {
      __m512 weights[Streams];
#pragma GCC unroll 3
      for (int t = 0; t < Streams; t++) {
        const uint16_t* from = w + t * next + c;
        if (!half) ask_ahead(from);
        weights[t] = load(from, 16 * half, kind);
      }
#pragma GCC unroll 4
      for (int m = 0; m < Rows; m++) {
        const __m512 one = _mm512_loadu_ps(x + m * columns + c + 16 * half);
#pragma GCC unroll 3
        for (int t = 0; t < Streams; t++) sum[t][m][half] = _mm512_fmadd_ps(weights[t], one, sum[t][m][half]);
      }
    }
  }
  for (; c < columns; c += 16) {
    const __mmask16 some = static_cast<__mmask16>(columns - c < 16 ? (1 << (columns - c)) - 1 : 0xffff);
    for (int m = 0; m < Rows; m++) {
      const __m512 one = _mm512_maskz_loadu_ps(some, x + m * columns + c);
      for (int t = 0; t < Streams; t++)
        sum[t][m][0] = _mm512_fmadd_ps(load_some(w + t * next, c, kind, columns - c), one, sum[t][m][0]);
    }
  }
  for (int t = 0; t < Streams; t++)
    for (int m = 0; m < Rows; m++)
      sums[m * stride + t * count] = _mm512_reduce_add_ps(_mm512_add_ps(sum[t][m][0], sum[t][m][1]));
}

// `count` rows of each of a few streams; those at hand stay in the cache for all rows of x.
template <bool Bfloat, int Streams>
void half_stream(const uint16_t* w, int64_t count, int64_t columns, const float* x, int64_t m, float* sums,
                 int64_t stride) {
  const int64_t next = count * columns;  // from stream to stream
  for (int64_t row = 0; row < count; row++, w += columns) {
    int64_t i = 0;
    for (; i + 4 <= m; i += 4)
      half_dots<Bfloat, Streams, 4>(w, next, columns, x + i * columns, sums + i * stride + row, count, stride);
    const float* last = x + i * columns;
    float* to = sums + i * stride + row;
    if (m - i == 3) half_dots<Bfloat, Streams, 3>(w, next, columns, last, to, count, stride);
    if (m - i == 2) half_dots<Bfloat, Streams, 2>(w, next, columns, last, to, count, stride);
    if (m - i == 1) half_dots<Bfloat, Streams, 1>(w, next, columns, last, to, count, stride);
  }
}

template <bool Bfloat>
void half_rows_of(const uint16_t* w, int64_t rows, int64_t columns, const float* x, int64_t m, float* sums) {
  const int64_t each = rows / 3, done = 3 * each;
  half_stream<Bfloat, 3>(w, each, columns, x, m, sums, rows);
  half_stream<Bfloat, 1>(w + done * columns, rows - done, columns, x, m, sums + done, rows);
}

void half_rows(const uint16_t* w, int kind, int64_t rows, int64_t columns, const void* x, int64_t m, float* floats,
               float* sums) {
  int64_t c = 0;
  for (; c + 16 <= m * columns; c += 16) _mm512_storeu_ps(floats + c, load(x, c, kind));
  if (const int64_t left = m * columns - c)
    _mm512_mask_storeu_ps(floats + c, static_cast<__mmask16>((1 << left) - 1), load_some(x, c, kind, left));
  kind == BFLOAT16 ? half_rows_of<true>(w, rows, columns, floats, m, sums)
                   : half_rows_of<false>(w, rows, columns, floats, m, sums);
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

// Columns begin..end-1 of the integers of a tile, or of two `apart` tiles from each other, a byte each: less 128, or for 4
// bits less 8 and the zero of their group, `size` bytes a tile; and the scale of each block, `more` elements a tile.
template <int Bits, int Count>
void spread(const Matrix& w, int64_t tile, int64_t apart, int64_t begin, int64_t end, int64_t block, uint8_t* to,
            int64_t size, float* steps, int64_t more) {
  const __m512i low = _mm512_set1_epi8(15), half = _mm512_set1_epi8(static_cast<char>(Bits == 8 ? 128 : 8));
  const __m512i four_times = _mm512_set1_epi32(0x01010101);
  const int64_t next = apart * w.tile_bytes();
  while (begin < end) {
    const int64_t g = begin / w.group, until = end < (g + 1) * w.group ? end : (g + 1) * w.group;
    const uint8_t* integers = w.tile_block(tile, g) + (begin - g * w.group) * 2 * Bits;
    __m512i zero[Count];
    for (int t = 0; t < Count; t++) {
      const uint8_t* scales = w.scales(tile, g) + t * next;
      ask_ahead(scales);
      const __m512 step = load(scales, 0, FLOAT16);
      zero[t] = half;
      if (Bits == 4 && w.zeros) {
        const __m512i zeros = _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(scales + 32)));
        zero[t] = _mm512_add_epi8(half, _mm512_mullo_epi32(zeros, four_times));
      }
      for (int64_t b = begin / block; b < until / block; b++) _mm512_store_ps(steps + t * more + 16 * b, step);
    }
    for (; begin < until; begin += 32)
#pragma GCC unroll 8
      for (int j = 0; j < Bits; j++, integers += 64) {
        for (int t = 0; t < Count; t++) {
          const __m512i v = _mm512_loadu_si512(integers + t * next);
          uint8_t* at = to + t * size;
          ask_ahead(integers + t * next);
          if (Bits == 8) {
            _mm512_store_si512(at, _mm512_sub_epi8(v, zero[t]));
          } else {
            _mm512_store_si512(at, _mm512_sub_epi8(_mm512_and_si512(v, low), zero[t]));
            _mm512_store_si512(at + 64, _mm512_sub_epi8(_mm512_and_si512(_mm512_srli_epi16(v, 4), low), zero[t]));
          }
        }
        to += Bits == 8 ? 64 : 128;
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

// One or two panels of activations from column `begin` on times one or two tiles of integers `size` bytes apart: whole
// sums of a block of columns, [panel, tile, 16, 16].
template <int Panels, int Count>
void multiply(const Activations& a, int64_t begin, int64_t depth, const uint8_t* integers, int64_t size,
              int32_t* sums) {
  _tile_zero(0);
  if (Count == 2) _tile_zero(1);
  if (Panels == 2) _tile_zero(2);
  if (Panels == 2 && Count == 2) _tile_zero(3);
  const int64_t stretch = a.panel * 64, next = a.columns / 64 * stretch;
  const int8_t* x = a.values;
  for (int64_t c = begin; c < begin + a.block; c += depth, integers += depth * 16) {
    const int8_t* here = x + (c >> 6) * stretch + (c & 63);
    _tile_loadd(6, integers, 64);
    _tile_loadd(4, here, 64);
    _tile_dpbssd(0, 4, 6);
    if (Count == 2) {
      _tile_loadd(7, integers + size, 64);
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
  alignas(64) uint8_t integers[2 * TOGETHER * 128 * 16];
};

// All columns of one tile, or of two `apart` tiles from each other. Whole sums of some blocks are rescaled while those of
// the next are multiplied.
template <int Panels, int Count>
void sweep(const Matrix& w, int64_t tile, int64_t apart, const Activations& a, float* steps, int64_t depth, Workshop& shop) {
  const int64_t blocks = a.columns / a.block;
  memset(shop.sums, 0, sizeof(shop.sums));
  for (int64_t first = 0; first < blocks + TOGETHER; first += TOGETHER) {
    const int64_t buffer = first / TOGETHER % 2, before = first - TOGETHER;
    const int64_t begin = first * a.block, end = begin + TOGETHER * a.block;
    const int64_t size = TOGETHER * a.block * 16;
    (w.bits == 8 ? spread<8, Count> : spread<4, Count>)(w, tile, apart, begin, end < a.columns ? end : a.columns, a.block,
                                                         shop.integers, size, steps, blocks * 16);
    for (int64_t j = 0; j < TOGETHER; j++) {
      if (first + j < blocks)
        multiply<Panels, Count>(a, begin + j * a.block, depth, shop.integers + j * a.block * 16, size, shop.whole[buffer][j]);
      for (int64_t i = j * 4 / TOGETHER; i < (j + 1) * 4 / TOGETHER; i++) {
        const int64_t p = i / 2, t = i % 2;
        if (before >= 0 && p < Panels && t < Count)
          rescale(steps + t * blocks * 16, a, p * a.panel, before,
                  blocks - before < TOGETHER ? blocks - before : TOGETHER, shop.whole[1 - buffer][0] + 256 * i, shop.sums[i]);
      }
    }
  }
}

// What 8-bit integers with zeros have too much: the zero times the activations, for sums [rows of a panel, 16].
void take_zeros(const Matrix& w, int64_t tile, const Activations& a, int64_t row, const float* steps, float* sums) {
  for (int64_t b = 0; b < a.columns / a.block; b++) {
    const uint8_t* of = w.scales(tile, b * a.block / w.group) + 32;
    const __m512 zeros = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(of))));
    const __m512 zero = _mm512_mul_ps(zeros, _mm512_load_ps(steps + 16 * b));
    for (int64_t m = 0; m < a.panel; m++) {
      const __m512 sum = _mm512_set1_ps(a.block_sums[b * a.rows + row + m]);
      _mm512_store_ps(sums + 16 * m, _mm512_fnmadd_ps(zero, sum, _mm512_load_ps(sums + 16 * m)));
    }
  }
}

// Some rows: the activations are rounded to 8 bits, in one or two panels.
void block(const Matrix& w, int64_t tile, int64_t count, const Activations& a, float* sums, void* scratch) {
  Workshop& shop = *static_cast<Workshop*>(scratch);
  const int64_t depth = a.block < 64 ? a.block : 64, panels = a.rows / a.panel, blocks = a.columns / a.block;
  float* steps = reinterpret_cast<float*>(&shop + 1);
  const Registers mine(depth, a.panel);
  const int64_t apart = count / 2;
  for (int64_t i = 0; i < count - apart; i++) {
    const int64_t pair = i < apart ? 2 : 1, at[2] = {pair == 2 ? i : 2 * apart, i + apart};
    const auto go = panels == 2 ? (pair == 2 ? sweep<2, 2> : sweep<2, 1>) : (pair == 2 ? sweep<1, 2> : sweep<1, 1>);
    go(w, tile + at[0], apart, a, steps, depth, shop);
    for (int64_t p = 0; p < panels; p++)
      for (int64_t t = 0; t < pair; t++) {
        float* from = shop.sums[2 * p + t];
        if (w.bits == 8 && w.zeros) take_zeros(w, tile + at[t], a, p * a.panel, steps + t * blocks * 16, from);
        for (int64_t m = 0; m < a.panel; m++)
          _mm512_storeu_ps(sums + ((p * a.panel + m) * count + at[t]) * 16, _mm512_load_ps(from + 16 * m));
      }
  }
}

// Many rows: the weights are dequantized to bfloat16, which takes no rescaling.

// Columns begin..end-1 of a tile as bfloat16: [columns / 2, 16, 2].
template <int Bits>
void dequantize(const Matrix& w, int64_t tile, int64_t begin, int64_t end, uint16_t* to) {
  const int64_t group = w.group, each = group < 64 ? group : 64;
  const uint8_t* integers = nullptr;
  // An integer in the upper bits of a mantissa is 128 (256 for 8 bits) more than itself.
  const __m512i mask = _mm512_set1_epi32(Bits == 8 ? 0x7f8000 : 0xf0000);
  const __m512i more = _mm512_set1_epi32(Bits == 8 ? 0x43800000 : 0x43000000);
  const __m512i rounding = _mm512_set1_epi32(0x8000);
  __m512i uppers = _mm512_setzero_si512();
  for (int i = 0; i < 16; i++)
    uppers = _mm512_mask_set1_epi32(uppers, static_cast<__mmask16>(1 << i), (2 * i + 1) | (32 + 2 * i + 1) << 16);
  __m512 step = _mm512_setzero_ps(), less = step;
  for (int64_t c = begin; c < end; c += each) {
    if (c == begin || c % group == 0) {
      const uint8_t* scales = w.scales(tile, c / group);
      integers = w.tile_block(tile, c / group) + c % group * 2 * Bits;
      step = load(scales, 0, FLOAT16);
      __m512i zero = _mm512_set1_epi32(Bits == 8 ? 384 : 136);
      if (w.zeros)
        zero = _mm512_add_epi32(zero, _mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(scales + 32))));
      less = _mm512_mul_ps(step, _mm512_cvtepi32_ps(zero));
    }
    for (int64_t i = 0; i < each; i += Bits == 8 ? 4 : 8, integers += 64) {
      const __m512i v = _mm512_loadu_si512(integers);
      ask_ahead(integers);
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

// A row of `count` elements as bfloat16 into its place in a panel, padded with zeros to `columns`.
void panel_row(const void* x, int kind, int64_t count, int64_t columns, uint16_t* to) {
  for (int64_t c = 0; c < columns; c += 32, to += 512)
    for (int h = 0; h < 32; h += 16)
      _mm256_store_si256(reinterpret_cast<__m256i*>(to + h), to_bfloat16(load_some(x, c + h, kind, count - c - h)));
}

// Two panels [columns / 32, 16, 32] times one or two tiles as `dequantize` leaves them: adds to sums [32, stride].
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
      for (int64_t i = 0; i < tiles; i++)
        (w.bits == 8 ? dequantize<8> : dequantize<4>)(w, tile + t + i, begin, end, scratch + i * size);
      for (int64_t row = 0; row < rows; row += 32)
        (tiles == 2 ? strip<2> : strip<1>)(x + row / 16 * next + begin * 16, next, scratch, size, end - begin,
                                           sums + row * stride + t * 16, stride, begin == 0);
    }
  }
}

// Up to 32 rows of bfloat16 weights as they lie: sixteen rows of W are one operand, a panel of activations turned on its
// side the other, so that sums are [rows of W, 16].

// A row of `columns` bfloat16 elements into place `row` of a panel [columns / 32, 16 pairs, 16 rows, 2].
void side_row(const uint16_t* x, int64_t columns, int64_t row, uint16_t* to) {
  for (int64_t c = 0; c < columns; c += 2, to += 32) memcpy(to + 2 * row, x + c, 4);
}

// Asks for the 64 bytes at `p` of sixteen rows.
inline void ask_rows(const uint16_t* p, int64_t columns) {
#pragma GCC unroll 16
  for (int i = 0; i < 16; i++) __asm__ volatile("prefetcht0 (%0)" : : "r"(p + i * columns));
}

// `Blocks` times sixteen rows of W times `Panels` panels: sums [Blocks * 16, stride]. `after`: what is read next.
template <int Panels, int Blocks>
void half_strip(const uint16_t* w, const uint16_t* after, int64_t columns, const uint16_t* x, float* sums, int64_t stride) {
  const int64_t next = 16 * columns, ahead = 2 * 32;
  _tile_zero(0);
  if (Blocks > 1) _tile_zero(1);
  if (Panels == 2) _tile_zero(2);
  if (Blocks > 1 && Panels == 2) _tile_zero(3);
  for (int64_t c = 0; c < columns; c += 32, x += 512) {
    const uint16_t* here = w + c;
    const uint16_t* soon = c + ahead < columns ? here + ahead : after + (c + ahead - columns);
    _tile_loadd(4, x, 64);
    if (Panels == 2) _tile_loadd(5, x + next, 64);
    ask_rows(soon, columns);
    _tile_loadd(6, here, 2 * columns);
    _tile_dpbf16ps(0, 6, 4);
    if (Panels == 2) _tile_dpbf16ps(2, 6, 5);
    if (Blocks > 1) {
      ask_rows(soon + next, columns);
      _tile_loadd(7, here + next, 2 * columns);
      _tile_dpbf16ps(1, 7, 4);
      if (Panels == 2) _tile_dpbf16ps(3, 7, 5);
    }
  }
  _tile_stored(0, sums, 4 * stride);
  if (Panels == 2) _tile_stored(2, sums + 16, 4 * stride);
  if (Blocks > 1) _tile_stored(1, sums + 16 * stride, 4 * stride);
  if (Blocks > 1 && Panels == 2) _tile_stored(3, sums + 16 * stride + 16, 4 * stride);
}

// `rows` rows of W, a multiple of sixteen, times one panel or two: sums [rows, panels * 16].
void half_block(const uint16_t* w, int64_t rows, int64_t columns, const uint16_t* x, int64_t panels, float* sums) {
  const Registers mine(64, 16);
  const int64_t most = 32, stride = 16 * panels;
  for (int64_t row = 0; row < rows; row += most, w += most * columns, sums += most * stride) {
    const int64_t left = rows - row, count = left < most ? left : most, behind = left - count;
    // Where a last strip is shorter than this one, what is asked for beyond it is never read.
    const uint16_t* after = behind >= count ? w + count * columns : w;
    const auto strip_of = panels == 2 ? (count == 32 ? half_strip<2, 2> : half_strip<2, 1>)
                                      : (count == 32 ? half_strip<1, 2> : half_strip<1, 1>);
    strip_of(w, after, columns, x, sums, stride);
  }
}

const Isa avx512 = {"avx512", quantize, tiles, nullptr, 0, nullptr, nullptr, half_rows, nullptr, nullptr, SMALL, store};
const Isa amx = {"amx",     quantize,  tiles,     block,      sizeof(Workshop), panel_row,
                   product, half_rows, side_row, half_block, SMALL,            store};

}  // namespace

const Isa* const avx512_isa = &avx512;
const Isa* const amx_isa = &amx;
#if defined(__clang__)
#pragma clang attribute pop
#endif
#else
const Isa* const avx512_isa = nullptr;
const Isa* const amx_isa = nullptr;
#endif
