// AVX2 without VNNI: products of bytes are added in pairs of 16 bits, which must not overflow.
#include "matrix.h"

#if defined(__x86_64__) && defined(__GNUC__)
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#else
#pragma GCC target("avx2,fma,f16c")
#endif
#include <immintrin.h>

namespace {

template <int Bits>
constexpr bool biased = Bits == 4;

template <int Bits>
__m256i dot(__m256i sum, __m256i codes, __m256i x) {
  __m256i pairs;
  if (Bits == 4) {
    pairs = _mm256_maddubs_epi16(codes, x);  // at most 2 * 15 * 127
  } else {  // 2 * 255 * 127 does not fit: give the codes their sign back and let x carry it
    codes = _mm256_xor_si256(codes, _mm256_set1_epi8(static_cast<char>(128)));
    pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(codes), _mm256_sign_epi8(x, codes));  // at most 2 * 128 * 127
  }
  return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}

}  // namespace

#include "avx2_level.h"
#include "small.h"

namespace {
const Level avx2 = {"avx2", quantize, tiles, nullptr, 0, nullptr, nullptr, half_rows, nullptr, nullptr, SMALL, store};
}
const Level* const avx2_level = &avx2;
#if defined(__clang__)
#pragma clang attribute pop
#endif
#else
const Level* const avx2_level = nullptr;
#endif
