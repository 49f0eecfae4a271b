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

inline __m256i pairs_of(__m256i sum) { return _mm256_madd_epi16(sum, _mm256_set1_epi16(1)); }

// Sums of 4 bits stay in 16 bits for 32 columns: at most 8 * 2 * 15 * 128 in a lane.
template <int Bits>
__m256i dot(__m256i sum, __m256i integers, __m256i x) {
  if (Bits == 4) return _mm256_add_epi16(sum, _mm256_maddubs_epi16(integers, x));
  // 2 * 255 * 127 does not fit: give the integers their sign back and let x carry it, at most 2 * 128 * 127.
  integers = _mm256_xor_si256(integers, _mm256_set1_epi8(static_cast<char>(128)));
  return _mm256_add_epi32(sum, pairs_of(_mm256_maddubs_epi16(_mm256_abs_epi8(integers), _mm256_sign_epi8(x, integers))));
}

template <int Bits>
__m256i widen(__m256i sum) {
  return Bits == 4 ? pairs_of(sum) : sum;
}

}  // namespace

#include "avx2_isa.h"
#include "small.h"

namespace {
const Isa avx2 = {"avx2", quantize, tiles, nullptr, 0, nullptr, nullptr, half_rows, nullptr, nullptr, SMALL, store};
}
const Isa* const avx2_isa = &avx2;
#if defined(__clang__)
#pragma clang attribute pop
#endif
#else
const Isa* const avx2_isa = nullptr;
#endif
