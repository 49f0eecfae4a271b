// The instruction set AVX2. The file that includes this one says how four products are added to a sum:
//
//     dot<Bits>(sum, integers, x)   integers without sign, x with; exact as long as `biased<Bits>` says what is left to add
//     widen<Bits>(sum)              sums of 32 columns in 32 bits
//
// A tile of sixteen rows is two registers of eight.
#include <immintrin.h>
#include <string.h>

namespace {

__m256 load(const void* p, int64_t i, int kind) {
  if (kind == FLOAT32) return _mm256_loadu_ps(static_cast<const float*>(p) + i);
  __m128i half = _mm_loadu_si128(reinterpret_cast<const __m128i*>(static_cast<const uint16_t*>(p) + i));
  if (kind == FLOAT16) return _mm256_cvtph_ps(half);
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(half), 16));
}

__m256 load_some(const void* p, int64_t i, int kind, int64_t count) {  // zeros behind `count`
  if (count >= 8) return load(p, i, kind);
  const int64_t width = kind == FLOAT32 ? 4 : 2;
  char copy[32] = {};
  if (count > 0) memcpy(copy, static_cast<const char*>(p) + i * width, static_cast<size_t>(count * width));
  return load(copy, 0, kind);
}

__m128i to_half(__m256 v, int kind) {
  if (kind == FLOAT16) return _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT);
  __m256i bits = _mm256_castps_si256(v);  // round to even; a NaN stays one
  __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
  __m256i even = _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
  __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(v, v, _CMP_UNORD_Q));
  even = _mm256_blendv_epi8(even, _mm256_or_si256(bits, _mm256_set1_epi32(0x400000)), nan);
  even = _mm256_srli_epi32(even, 16);
  return _mm_packus_epi32(_mm256_castsi256_si128(even), _mm256_extracti128_si256(even, 1));
}

void store(const float* from, const void* bias, int64_t count, int kind, void* to) {
  const int64_t width = kind == FLOAT32 ? 4 : 2;
  for (int64_t i = 0; i < count; i += 8) {
    const int64_t left = count - i < 8 ? count - i : 8;
    __m256 v = load_some(from, i, FLOAT32, left);
    if (bias) v = _mm256_add_ps(v, load_some(bias, i, kind, left));
    char copy[32];
    if (kind == FLOAT32) _mm256_storeu_ps(reinterpret_cast<float*>(copy), v);
    else _mm_storeu_si128(reinterpret_cast<__m128i*>(copy), to_half(v, kind));
    memcpy(static_cast<char*>(to) + i * width, copy, static_cast<size_t>(left * width));
  }
}

float add_up(__m256 v) {
  __m128 s = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  s = _mm_add_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}

void quantize(const void* x, int kind, int64_t count, const Activations& a, int64_t row, int bits) {
  for (int64_t block = 0; block < a.columns / a.block; block++) {
    const int64_t first = block * a.block;
    __m256 parts[16];
    __m256i most = _mm256_setzero_si256();
    for (int64_t i = 0; i < a.block / 8; i++) {
      parts[i] = load_some(x, first + 8 * i, kind, count - first - 8 * i);
      __m256i bits_of = _mm256_and_si256(_mm256_castps_si256(parts[i]), _mm256_set1_epi32(0x7fffffff));
      most = _mm256_max_epi32(most, bits_of);  // the order of positive floats is that of their bits; NaN is last
    }
    __m128i m = _mm_max_epi32(_mm256_castsi256_si128(most), _mm256_extracti128_si256(most, 1));
    m = _mm_max_epi32(m, _mm_shuffle_epi32(m, 0x4e));
    m = _mm_max_epi32(m, _mm_shuffle_epi32(m, 0xb1));
    const int32_t bits_of_most = _mm_cvtsi128_si32(m);
    float top;
    memcpy(&top, &bits_of_most, 4);
    const __m256 inverse = _mm256_set1_ps(top > 0 ? 127.0f / top : 0.0f);
    int32_t total = 0;
    for (int64_t i = 0; i < a.block / 8; i++) {
      __m256i integer = _mm256_cvtps_epi32(_mm256_mul_ps(parts[i], inverse));
      __m128i pairs = _mm_packs_epi32(_mm256_castsi256_si128(integer), _mm256_extracti128_si256(integer, 1));
      int8_t* to = value_at(a, row, first + 8 * i);
      _mm_storel_epi64(reinterpret_cast<__m128i*>(to), _mm_packs_epi16(pairs, pairs));
      for (int j = 0; j < 8; j++) total += to[j];
    }
    a.scales[block * a.rows + row] = top / 127.0f;
    a.sums[block * a.rows + row] = total * (bits == 8 ? -128 : -8);
    a.block_sums[block * a.rows + row] = static_cast<float>(total) * (top / 127.0f);
  }
}

// Four columns of sixteen rows, `integers`, times those columns of a few rows of activations, 64 bytes apart at `x`.
template <int Bits, int Rows>
inline void add_dots(const __m256i (&integers)[2], const int8_t* x, __m256i (&parts)[Rows][2]) {
  for (int h = 0; h < 2; h++)
    for (int m = 0; m < Rows; m++) {
      int32_t four;
      memcpy(&four, x + 64 * m, 4);
      parts[m][h] = dot<Bits>(parts[m][h], integers[h], _mm256_set1_epi32(four));
      __asm__("" : "+x"(parts[m][h]));  // gcc would add up in a tree, for which there are no registers
    }
}

template <int Rows>
inline void clear(__m256i (&parts)[Rows][2]) {
  for (int m = 0; m < Rows; m++) parts[m][0] = parts[m][1] = _mm256_setzero_si256();
}

template <int Bits, int Rows>
inline void widen_into(const __m256i (&parts)[Rows][2], __m256i (&sums)[Rows][2]) {
  for (int m = 0; m < Rows; m++)
    for (int h = 0; h < 2; h++) sums[m][h] = _mm256_add_epi32(sums[m][h], widen<Bits>(parts[m][h]));
}

// What a block of integers starts from: what their bias adds.
template <int Bits, int Rows>
inline void begin_sums(const Activations& a, int64_t at, __m256i (&sums)[Rows][2]) {
  for (int m = 0; m < Rows; m++) sums[m][0] = sums[m][1] = _mm256_set1_epi32(biased<Bits> ? a.sums[at + m] : 0);
}

struct Scales {  // of a tile, for a group: floats of its sixteen rows
  __m256 step[2], zero[2];
  Scales(const Matrix& w, const uint8_t* scales) {
    for (int h = 0; h < 2; h++) {
      step[h] = load(scales, 8 * h, FLOAT16);
      zero[h] = _mm256_setzero_ps();
      if (w.zeros) {
        const __m128i zeros = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(scales + 32 + 8 * h));
        zero[h] = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(zeros));
      }
    }
  }
};

// y plus the sums of a block in floats.
inline __m256 rescaled(__m256 y, __m256i sum, const Activations& a, int64_t at, bool zeros, const Scales& scales, int h) {
  __m256 part = _mm256_mul_ps(_mm256_cvtepi32_ps(sum), _mm256_set1_ps(a.scales[at]));
  if (zeros) part = _mm256_fnmadd_ps(scales.zero[h], _mm256_set1_ps(a.block_sums[at]), part);
  return _mm256_fmadd_ps(part, scales.step[h], y);
}

template <int Bits, int Rows>
void tile_rows(const Matrix& w, int64_t tile, const Activations& a, int64_t row, float* sums, int64_t stride) {
  const int64_t groups = w.columns / w.group, blocks = w.group / a.block, stretch = a.panel * 64;
  const int8_t* x = value_at(a, row, 0);
  const __m256i low = _mm256_set1_epi8(15);
  __m256 y[Rows][2];
  for (int m = 0; m < Rows; m++) y[m][0] = y[m][1] = _mm256_setzero_ps();
  for (int64_t b = 0; b < groups * blocks; b++) {
    const uint8_t* integers = w.tile_block(tile, b / blocks) + b % blocks * a.block * 2 * Bits;
    __m256i whole[Rows][2];
    begin_sums<Bits>(a, b * a.rows + row, whole);
    for (int64_t column = b * a.block; column < (b + 1) * a.block; column += 32) {
      const int8_t* here = x + column / 64 * stretch + column % 64;
      __m256i parts[Rows][2];
      clear(parts);
#pragma GCC unroll 8
      for (int j = 0; j < 32; j += 32 / Bits, integers += 64) {
        _mm_prefetch(reinterpret_cast<const char*>(integers) + 1024, _MM_HINT_T0);
        const __m256i v[2] = {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(integers)),
                              _mm256_loadu_si256(reinterpret_cast<const __m256i*>(integers) + 1)};
        if (Bits == 8) {
          add_dots<Bits>(v, here + j, parts);
        } else {
          const __m256i even[2] = {_mm256_and_si256(v[0], low), _mm256_and_si256(v[1], low)};
          const __m256i odd[2] = {_mm256_and_si256(_mm256_srli_epi16(v[0], 4), low),
                                  _mm256_and_si256(_mm256_srli_epi16(v[1], 4), low)};
          add_dots<Bits>(even, here + j, parts);
          add_dots<Bits>(odd, here + j + 4, parts);
        }
      }
      widen_into<Bits>(parts, whole);
    }
    const Scales of(w, w.scales(tile, b / blocks));
    for (int m = 0; m < Rows; m++)
      for (int h = 0; h < 2; h++)
        y[m][h] = rescaled(y[m][h], whole[m][h], a, b * a.rows + row + m, w.zeros, of, h);
  }
  for (int m = 0; m < Rows; m++)
    for (int h = 0; h < 2; h++) _mm256_storeu_ps(sums + m * stride + 8 * h, y[m][h]);
}

void half_rows(const uint16_t* w, int kind, int64_t rows, int64_t columns, const void* x, int64_t m, float* floats,
               float* sums) {
  int64_t end = 0;
  for (; end + 8 <= m * columns; end += 8) _mm256_storeu_ps(floats + end, load(x, end, kind));
  float rest[8];
  _mm256_storeu_ps(rest, load_some(x, end, kind, m * columns - end));
  for (int64_t i = end; i < m * columns; i++) floats[i] = rest[i - end];
  for (int64_t row = 0; row < rows; row += 4) {
    const int64_t count = rows - row < 4 ? rows - row : 4;
    const uint16_t* from[4];
    for (int r = 0; r < 4; r++) from[r] = w + (row + (r < count ? r : 0)) * columns;
    for (int64_t i = 0; i < m; i++) {  // the four rows of weights stay in the cache
      const float* to = floats + i * columns;
      __m256 sum[4][2];
      for (int r = 0; r < 4; r++) sum[r][0] = sum[r][1] = _mm256_setzero_ps();
      int64_t c = 0;
      for (; c + 32 <= columns; c += 32)
        for (int r = 0; r < 4; r++) {
          _mm_prefetch(reinterpret_cast<const char*>(from[r] + c) + 1024, _MM_HINT_T0);
#pragma GCC unroll 4
          for (int j = 0; j < 4; j++)
            sum[r][j % 2] = _mm256_fmadd_ps(load(from[r], c + 8 * j, kind), _mm256_loadu_ps(to + c + 8 * j), sum[r][j % 2]);
        }
      for (; c < columns; c += 8)
        for (int r = 0; r < 4; r++)
          sum[r][0] = _mm256_fmadd_ps(load_some(from[r], c, kind, columns - c),
                                      load_some(to, c, FLOAT32, columns - c), sum[r][0]);
      for (int r = 0; r < count; r++) sums[i * rows + row + r] = add_up(_mm256_add_ps(sum[r][0], sum[r][1]));
    }
  }
}

}  // namespace

#include "tiles.h"
