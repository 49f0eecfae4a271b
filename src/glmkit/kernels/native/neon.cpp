// ARM with the dot product of bytes. A tile of sixteen rows is four registers of four.
#include "matrix.h"

#if defined(__aarch64__) && defined(__GNUC__)
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("dotprod"))), apply_to = function)
#else
#pragma GCC target("arch=armv8.2-a+dotprod")
#endif
#include <arm_neon.h>
#include <string.h>

#include "small.h"

#if defined(__linux__)
#include <sys/auxv.h>
#endif

namespace {

float number(const void* p, int64_t i, int kind) {
  if (kind == FLOAT32) return static_cast<const float*>(p)[i];
  const uint16_t half = static_cast<const uint16_t*>(p)[i];
  if (kind == FLOAT16) {
    __fp16 value;
    memcpy(&value, &half, 2);
    return value;
  }
  const uint32_t bits = static_cast<uint32_t>(half) << 16;
  float value;
  memcpy(&value, &bits, 4);
  return value;
}

float32x4_t load(const void* p, int64_t i, int kind) {
  if (kind == FLOAT32) return vld1q_f32(static_cast<const float*>(p) + i);
  const uint16x4_t half = vld1_u16(static_cast<const uint16_t*>(p) + i);
  if (kind == FLOAT16) return vcvt_f32_f16(vreinterpret_f16_u16(half));
  return vreinterpretq_f32_u32(vshll_n_u16(half, 16));
}

void store(const float* from, const void* bias, int64_t count, int kind, void* to) {
  for (int64_t i = 0; i < count; i++) {
    const float value = from[i] + (bias ? number(bias, i, kind) : 0.0f);
    if (kind == FLOAT32) {
      static_cast<float*>(to)[i] = value;
    } else if (kind == FLOAT16) {
      const __fp16 half = static_cast<__fp16>(value);
      memcpy(static_cast<uint16_t*>(to) + i, &half, 2);
    } else {
      uint32_t bits;
      memcpy(&bits, &value, 4);
      const uint32_t even = value != value ? bits | 0x400000 : bits + 0x7fff + (bits >> 16 & 1);
      static_cast<uint16_t*>(to)[i] = static_cast<uint16_t>(even >> 16);
    }
  }
}

void quantize(const void* x, int kind, int64_t count, const Activations& a, int64_t row, int) {
  for (int64_t block = 0; block < a.columns / a.block; block++) {
    const int64_t first = block * a.block;
    float parts[128];
    uint32_t most = 0;  // the order of positive floats is that of their bits; NaN is last
    for (int64_t i = 0; i < a.block; i++) {
      parts[i] = first + i < count ? number(x, first + i, kind) : 0.0f;
      uint32_t bits;
      memcpy(&bits, parts + i, 4);
      bits &= 0x7fffffff;
      if (bits > most) most = bits;
    }
    float top;
    memcpy(&top, &most, 4);
    const float32x4_t inverse = vdupq_n_f32(top > 0 ? 127.0f / top : 0.0f);
    int32_t total = 0;
    for (int64_t i = 0; i < a.block; i += 4) {
      int32x4_t integer = vcvtnq_s32_f32(vmulq_f32(vld1q_f32(parts + i), inverse));
      integer = vmaxq_s32(vminq_s32(integer, vdupq_n_s32(127)), vdupq_n_s32(-128));  // of what is no number
      total += vaddvq_s32(integer);
      int8_t* to = value_at(a, row, first + i);
      to[0] = static_cast<int8_t>(vgetq_lane_s32(integer, 0));
      to[1] = static_cast<int8_t>(vgetq_lane_s32(integer, 1));
      to[2] = static_cast<int8_t>(vgetq_lane_s32(integer, 2));
      to[3] = static_cast<int8_t>(vgetq_lane_s32(integer, 3));
    }
    a.scales[block * a.rows + row] = top / 127.0f;
    a.sums[block * a.rows + row] = 0;  // the integers have their sign here
    a.block_sums[block * a.rows + row] = static_cast<float>(total) * (top / 127.0f);
  }
}

template <int Bits, int Rows>
void tile_rows(const Matrix& w, int64_t tile, const Activations& a, int64_t row, float* sums, int64_t stride) {
  const int64_t groups = w.columns / w.group, blocks = w.group / a.block, stretch = a.panel * 64;
  const int8_t* x = value_at(a, row, 0);
  const uint8x16_t low = vdupq_n_u8(15), half = vdupq_n_u8(Bits == 8 ? 128 : 8);
  float32x4_t y[Rows][4];
  for (int m = 0; m < Rows; m++)
    for (int h = 0; h < 4; h++) y[m][h] = vdupq_n_f32(0);
  for (int64_t b = 0; b < groups * blocks; b++) {
    const uint8_t* integers = w.tile_block(tile, b / blocks) + b % blocks * a.block * 2 * Bits;
    int32x4_t sum[Rows][4];
    for (int m = 0; m < Rows; m++)
      for (int h = 0; h < 4; h++) sum[m][h] = vdupq_n_s32(0);
    for (int64_t column = b * a.block; column < (b + 1) * a.block; column += Bits == 8 ? 4 : 8) {
      const int8_t* here = x + column / 64 * stretch + column % 64;
      __builtin_prefetch(integers + 1024);
      for (int h = 0; h < 4; h++, integers += 16) {
        const uint8x16_t v = vld1q_u8(integers);
        for (int m = 0; m < Rows; m++) {
          const int8x16_t four = vreinterpretq_s8_s32(vld1q_dup_s32(reinterpret_cast<const int32_t*>(here + 64 * m)));
          if (Bits == 8) {
            sum[m][h] = vdotq_s32(sum[m][h], vreinterpretq_s8_u8(vsubq_u8(v, half)), four);
          } else {
            const int8x16_t next =
                vreinterpretq_s8_s32(vld1q_dup_s32(reinterpret_cast<const int32_t*>(here + 64 * m + 4)));
            sum[m][h] = vdotq_s32(sum[m][h], vreinterpretq_s8_u8(vsubq_u8(vandq_u8(v, low), half)), four);
            sum[m][h] = vdotq_s32(sum[m][h], vreinterpretq_s8_u8(vsubq_u8(vshrq_n_u8(v, 4), half)), next);
          }
        }
      }
    }
    const uint8_t* scales = w.scales(tile, b / blocks);
    for (int h = 0; h < 4; h++) {
      const float32x4_t step = load(scales, 4 * h, FLOAT16);
      for (int m = 0; m < Rows; m++) {
        const int64_t i = b * a.rows + row + m;
        float32x4_t part = vmulq_n_f32(vcvtq_f32_s32(sum[m][h]), a.scales[i]);
        if (w.zeros) {
          const int8_t* z = reinterpret_cast<const int8_t*>(scales) + 32 + 4 * h;
          const float zeros[4] = {float(z[0]), float(z[1]), float(z[2]), float(z[3])};
          part = vmlsq_n_f32(part, vld1q_f32(zeros), a.block_sums[i]);
        }
        y[m][h] = vfmaq_f32(y[m][h], part, step);
      }
    }
  }
  for (int m = 0; m < Rows; m++)
    for (int h = 0; h < 4; h++) vst1q_f32(sums + m * stride + 4 * h, y[m][h]);
}

void half_rows(const uint16_t* w, int kind, int64_t rows, int64_t columns, const void* x, int64_t m, float* floats,
               float* sums) {
  for (int64_t i = 0; i < m * columns; i++) floats[i] = number(x, i, kind);
  for (int64_t row = 0; row < rows; row++, w += columns)
    for (int64_t i = 0; i < m; i++) {  // the row of weights stays in the cache
      const float* one = floats + i * columns;
      float32x4_t sum[4] = {vdupq_n_f32(0), vdupq_n_f32(0), vdupq_n_f32(0), vdupq_n_f32(0)};
      int64_t c = 0;
      for (; c + 16 <= columns; c += 16)
        for (int j = 0; j < 4; j++) sum[j] = vfmaq_f32(sum[j], load(w, c + 4 * j, kind), vld1q_f32(one + c + 4 * j));
      float rest = 0;
      for (; c < columns; c++) rest += number(w, c, kind) * one[c];
      sums[i * rows + row] = vaddvq_f32(vaddq_f32(vaddq_f32(sum[0], sum[1]), vaddq_f32(sum[2], sum[3]))) + rest;
    }
}

}  // namespace

#include "tiles.h"

namespace {

const Isa neon = {"neon", quantize, tiles, nullptr, 0, nullptr, nullptr, half_rows, nullptr, nullptr, SMALL, store};

bool has_dot_product() {
#if defined(__linux__)
  return (getauxval(AT_HWCAP) >> 20 & 1) != 0;  // HWCAP_ASIMDDP
#else
  return true;  // every Apple processor of this architecture but the first
#endif
}

}  // namespace

const Isa* const neon_isa = has_dot_product() ? &neon : nullptr;
#if defined(__clang__)
#pragma clang attribute pop
#endif
#else
const Isa* const neon_isa = nullptr;
#endif
