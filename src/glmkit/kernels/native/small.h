// What is small beside the matrices, in plain loops, which the compiler turns into vectors of the including file's ISA.
#include <string.h>

// gcc warns that functions on vectors wider than the ISA's registers are called differently where the registers are
// there. No such call leaves the file that includes this one.
#pragma GCC diagnostic ignored "-Wpsabi"

namespace {

inline float widened(uint16_t half) {
  const uint32_t bits = static_cast<uint32_t>(half) << 16;
  float value;
  memcpy(&value, &bits, 4);
  return value;
}

inline uint16_t rounded_half(float value) {  // to even; a NaN stays one
  uint32_t bits;
  memcpy(&bits, &value, 4);
  const uint32_t even = bits + 0x7fff + (bits >> 16 & 1), nan = bits | 0x400000;
  return static_cast<uint16_t>((value == value ? even : nan) >> 16);
}

// e^x to a few units in the last place of float32, in a form that compilers turn into vectors; e^64 above 64: they divide
// by what stands for the largest x in any case, and a quotient too small for a normal number takes a hundred cycles.
inline float exponential(float x) {
  x = x < -87.0f ? -87.0f : x > 64.0f ? 64.0f : x;
  const float whole = (x * 1.44269504f + 12582912.0f) - 12582912.0f;  // the nearest whole number: 1.5 * 2^23 has no room for less
  const float rest = (x - whole * 0.693359375f) + whole * 2.12194440e-4f;
  float sum = 1.9875691500e-4f;
  sum = sum * rest + 1.3981999507e-3f;
  sum = sum * rest + 8.3334519073e-3f;
  sum = sum * rest + 4.1665795894e-2f;
  sum = sum * rest + 1.6666665459e-1f;
  sum = sum * rest + 5.0000001201e-1f;
  sum = sum * rest * rest + rest + 1.0f;
  const uint32_t bits = static_cast<uint32_t>(static_cast<int32_t>(whole) + 127) << 23;
  float power;
  memcpy(&power, &bits, 4);
  return sum * power;
}

// The mean of (x - center)^power, power 1 or 2, of bfloat16 elements.
template <int Power>
inline float mean(const uint16_t* x, float center, int64_t columns) {
  float parts[16] = {}, sum = 0;
  int64_t c = 0;
  for (; c + 16 <= columns; c += 16)
    for (int j = 0; j < 16; j++) {
      const float value = widened(x[c + j]) - center;
      parts[j] += Power == 2 ? value * value : value;
    }
  for (; c < columns; c++) {
    const float value = widened(x[c]) - center;
    sum += Power == 2 ? value * value : value;
  }
  for (int j = 0; j < 16; j++) sum += parts[j];
  return sum / static_cast<float>(columns);
}

// y = x / sqrt(mean(x * x) + epsilon) * weight (null: ones), of rows of `columns` bfloat16 elements.
void rms_norm(const uint16_t* x, const uint16_t* weight, float epsilon, int64_t rows, int64_t columns, uint16_t* y) {
  for (int64_t row = 0; row < rows; row++, x += columns, y += columns) {
    const float scale = 1.0f / __builtin_sqrtf(mean<2>(x, 0.0f, columns) + epsilon);
    if (weight)
      for (int64_t c = 0; c < columns; c++) y[c] = rounded_half(widened(x[c]) * scale * widened(weight[c]));
    else
      for (int64_t c = 0; c < columns; c++) y[c] = rounded_half(widened(x[c]) * scale);
  }
}

// y = (x - mean(x)) / sqrt(variance(x) + epsilon) * weight + bias (null: ones, zeros), of such rows.
void layer_norm(const uint16_t* x, const uint16_t* weight, const uint16_t* bias, float epsilon, int64_t rows,
                int64_t columns, uint16_t* y) {
  for (int64_t row = 0; row < rows; row++, x += columns, y += columns) {
    const float center = mean<1>(x, 0.0f, columns);
    const float scale = 1.0f / __builtin_sqrtf(mean<2>(x, center, columns) + epsilon);
    if (weight && bias)
      for (int64_t c = 0; c < columns; c++)
        y[c] = rounded_half((widened(x[c]) - center) * scale * widened(weight[c]) + widened(bias[c]));
    else
      for (int64_t c = 0; c < columns; c++)
        y[c] = rounded_half((widened(x[c]) - center) * scale * (weight ? widened(weight[c]) : 1.0f) +
                            (bias ? widened(bias[c]) : 0.0f));
  }
}

// y [rows, inner] = silu(gate) * value of x [rows, gate | value], bfloat16.
void swiglu(const uint16_t* x, int64_t rows, int64_t inner, uint16_t* y) {
  for (int64_t row = 0; row < rows; row++, x += 2 * inner, y += inner)
    for (int64_t c = 0; c < inner; c++) {
      const float gate = widened(x[c]);
      // As torch: silu is rounded before it is multiplied.
      y[c] = rounded_half(widened(rounded_half(gate / (1.0f + exponential(-gate)))) * widened(x[inner + c]));
    }
}

// The first 2 * pairs elements of heads [heads, size], rotated in interleaved pairs; the rest as it is. One cosine
// and sine a pair serve all heads of a token. y [heads, size].
void interleaved_rope(const uint16_t* x, const float* cos, const float* sin, int64_t heads, int64_t size, int64_t pairs,
                      uint16_t* y) {
  for (int64_t head = 0; head < heads; head++, x += size, y += size) {
    for (int64_t j = 0; j < pairs; j++) {
      const float a = widened(x[2 * j]), b = widened(x[2 * j + 1]);
      y[2 * j] = rounded_half(a * cos[j] - b * sin[j]);
      y[2 * j + 1] = rounded_half(b * cos[j] + a * sin[j]);
    }
    memcpy(y + 2 * pairs, x + 2 * pairs, static_cast<size_t>(size - 2 * pairs) * 2);
  }
}

// y [rows, inner] = max(x, 0)^2, bfloat16, rounded where torch rounds.
void relu2(const uint16_t* x, int64_t rows, int64_t inner, uint16_t* y) {
  for (int64_t i = 0; i < rows * inner; i++) {
    const float value = widened(x[i]), positive = value > 0.0f ? value : value != value ? value : 0.0f;
    y[i] = rounded_half(positive * positive);
  }
}

// The two halves of heads [heads, size], rotated by `pairs` angles each: element j of a half with element j + pairs of it.
void rope_2d(const uint16_t* x, const float* cos, const float* sin, int64_t heads, int64_t size, int64_t pairs,
             uint16_t* y) {
  for (int64_t half = 0; half < 2 * heads; half++, x += size / 2, y += size / 2) {
    const float *c = cos + half % 2 * pairs, *s = sin + half % 2 * pairs;
    for (int64_t j = 0; j < pairs; j++) {
      const float a = widened(x[j]), b = widened(x[j + pairs]);
      y[j] = rounded_half(a * c[j] - b * s[j]);
      y[j + pairs] = rounded_half(b * c[j] + a * s[j]);
    }
  }
}

// y = alpha * y + x, bfloat16, rounded twice as torch does.
void add_scaled(const uint16_t* x, float alpha, int64_t count, uint16_t* y) {
  for (int64_t i = 0; i < count; i++) y[i] = rounded_half(widened(rounded_half(alpha * widened(y[i]))) + widened(x[i]));
}

// What an adapter adds, y [rows] += scale * (b a x + bias), in two parts: inner [rank] = a [rank, columns] times x
// [columns] bfloat16; and the outputs `begin` .. `end` - 1 of b [rank, rows] and bias [rows] (null: zeros). float32 inside.
void low_rank_inner(const uint16_t* x, const float* a, int64_t rank, int64_t columns, float* inner) {
  for (int64_t k = 0; k < rank; k++, a += columns) {
    float parts[16] = {}, sum = 0;
    int64_t c = 0;
    for (; c + 16 <= columns; c += 16)
      for (int j = 0; j < 16; j++) parts[j] += widened(x[c + j]) * a[c + j];
    for (; c < columns; c++) sum += widened(x[c]) * a[c];
    for (int j = 0; j < 16; j++) sum += parts[j];
    inner[k] = sum;
  }
}

void low_rank_outer(const float* inner, const float* b, const float* bias, float scale, int64_t rank, int64_t rows,
                    int64_t begin, int64_t end, uint16_t* y) {
  for (int64_t at = begin; at < end; at += 256) {
    const int64_t count = end - at < 256 ? end - at : 256;
    float sums[256];
    for (int64_t i = 0; i < count; i++) sums[i] = bias ? bias[at + i] : 0.0f;
    for (int64_t k = 0; k < rank; k++)
      for (int64_t i = 0; i < count; i++) sums[i] += inner[k] * b[k * rows + at + i];
    for (int64_t i = 0; i < count; i++) y[at + i] = rounded_half(widened(y[at + i]) + scale * sums[i]);
  }
}

// y += x, bfloat16.
void add(const uint16_t* x, int64_t count, uint16_t* y) {
  for (int64_t i = 0; i < count; i++) y[i] = rounded_half(widened(y[i]) + widened(x[i]));
}

// Sixteen elements at once, in as many registers as the instruction set needs for them.
typedef float Sixteen __attribute__((vector_size(64)));

inline Sixteen sixteen(const float* from) {
  Sixteen v;
  memcpy(&v, from, 64);
  return v;
}

inline Sixteen sixteen(const uint16_t* from) {
  typedef uint16_t Halves __attribute__((vector_size(32)));
  typedef uint32_t Words __attribute__((vector_size(64)));
  Halves halves;
  memcpy(&halves, from, 32);
  const Words words = __builtin_convertvector(halves, Words) << 16;
  Sixteen v;
  memcpy(&v, &words, 64);
  return v;
}

inline void put_sixteen(const Sixteen& v, uint16_t* to) {  // to even; a NaN stays one
  typedef uint16_t Halves __attribute__((vector_size(32)));
  typedef uint32_t Words __attribute__((vector_size(64)));
  Words bits;
  memcpy(&bits, &v, 64);
  const Words even = bits + 0x7fff + (bits >> 16 & 1), nan = bits | 0x400000;
  const Halves halves = __builtin_convertvector((v == v ? even : nan) >> 16, Halves);
  memcpy(to, &halves, 32);
}

// e^x as above, of numbers from -87 to 64.
inline Sixteen exponential(const Sixteen& x) {
  typedef int32_t Ints __attribute__((vector_size(64)));
  const Sixteen whole = (x * 1.44269504f + 12582912.0f) - 12582912.0f;
  const Sixteen rest = (x - whole * 0.693359375f) + whole * 2.12194440e-4f;
  Sixteen sum = rest * 1.9875691500e-4f + 1.3981999507e-3f;
  sum = sum * rest + 8.3334519073e-3f;
  sum = sum * rest + 4.1665795894e-2f;
  sum = sum * rest + 1.6666665459e-1f;
  sum = sum * rest + 5.0000001201e-1f;
  sum = sum * rest * rest + rest + 1.0f;
  const Ints bits = (__builtin_convertvector(whole, Ints) + 127) << 23;
  Sixteen power;
  memcpy(&power, &bits, 64);
  return sum * power;
}

inline float added_up(const Sixteen& v) {
  typedef float Eight __attribute__((vector_size(32)));
  typedef float Four __attribute__((vector_size(16)));
  Eight halves[2];
  memcpy(halves, &v, 64);
  const Eight half = halves[0] + halves[1];
  Four quarters[2];
  memcpy(quarters, &half, 32);
  const Four quarter = quarters[0] + quarters[1];
  return (quarter[0] + quarter[2]) + (quarter[1] + quarter[3]);
}

// GELU by its tanh formula, x / (1 + e^-2u) with u = sqrt(2 / pi) (x + 0.044715 x^3): y of x; or, where `gradients` are
// given, these times the derivative, s + 2 x s (1 - s) u' with s = 1 / (1 + e^-2u). bfloat16.
inline void gelu_sixteen(const uint16_t* x, const uint16_t* gradients, uint16_t* y) {
  const Sixteen one = Sixteen{} + 1.0f, least = Sixteen{} - 87.0f, most = Sixteen{} + 64.0f;
  const Sixteen v = sixteen(x), square = v * v;
  const Sixteen u = -1.595769122f * v * (square * 0.044715f + 1.0f);  // -2u
  const Sixteen s = one / (exponential(u < least ? least : u > most ? most : u) + one);
  if (!gradients) return put_sixteen(v * s, y);
  const Sixteen slope = 1.595769122f * v * s * (one - s) * (square * 0.134145f + 1.0f);
  put_sixteen(sixteen(gradients) * (s + slope), y);
}

void gelu(const uint16_t* x, const uint16_t* gradients, int64_t count, uint16_t* y) {
  int64_t i = 0;
  for (; i + 16 <= count; i += 16) gelu_sixteen(x + i, gradients ? gradients + i : nullptr, y + i);
  if (i < count) {
    uint16_t parts[3][16] = {};
    const size_t bytes = static_cast<size_t>(count - i) * 2;
    memcpy(parts[0], x + i, bytes);
    if (gradients) memcpy(parts[1], gradients + i, bytes);
    gelu_sixteen(parts[0], gradients ? parts[1] : nullptr, parts[2]);
    memcpy(y + i, parts[2], bytes);
  }
}

// Sixteen keys of what follows.
inline void attention_grad_sixteen(uint16_t* scores, uint16_t* gradients, const uint16_t* bias, float scale, float shift) {
  Sixteen log = sixteen(scores) * scale + shift;
  if (bias) log += sixteen(bias);
  const Sixteen zero = {}, least = zero - 87.0f;
  const Sixteen p = log > least ? exponential(log > zero ? zero : log < least ? least : log) : zero;
  put_sixteen(p, scores);
  put_sixteen(p * sixteen(gradients) * scale, gradients);
}

// One query of attention's backward pass, in place. Of its `keys` keys it sees the first `seen`:
//   in   scores[j] = q.k - (L + shift) / scale                       gradients[j] = dy.v - delta
//   out  scores[j] = P = exp(scale * scores[j] + shift + bias[j])    gradients[j] = dS = P * gradients[j] * scale
// A bias hides a key by the lowest of all numbers; P is at most 1 whatever was rounded before.
void attention_grad(uint16_t* scores, uint16_t* gradients, const uint16_t* bias, int64_t keys, int64_t seen, float scale,
                    float shift) {
  int64_t j = 0;
  for (; j + 16 <= seen; j += 16) attention_grad_sixteen(scores + j, gradients + j, bias ? bias + j : nullptr, scale, shift);
  if (j < seen) {
    uint16_t parts[3][16] = {};
    const size_t bytes = static_cast<size_t>(seen - j) * 2;
    memcpy(parts[0], scores + j, bytes);
    memcpy(parts[1], gradients + j, bytes);
    if (bias) memcpy(parts[2], bias + j, bytes);
    attention_grad_sixteen(parts[0], parts[1], parts[2], scale, shift);
    memcpy(scores + j, parts[0], bytes);
    memcpy(gradients + j, parts[1], bytes);
  }
  memset(scores + seen, 0, static_cast<size_t>(keys - seen) * 2);
  memset(gradients + seen, 0, static_cast<size_t>(keys - seen) * 2);
}

// The softmax of `count` scores.
inline void softmax(float* scores, int64_t count) {
  float top = scores[0], total = 0;
  for (int64_t j = 1; j < count; j++) top = scores[j] > top ? scores[j] : top;
  for (int64_t j = 0; j < count; j++) scores[j] = exponential(scores[j] - top);
  Sixteen sums = {};
  int64_t j = 0;
  for (; j + 16 <= count; j += 16) sums += sixteen(scores + j);
  for (; j < count; j++) total += scores[j];
  const float inverse = 1.0f / (total + added_up(sums));
  for (j = 0; j < count; j++) scores[j] *= inverse;
}

inline float widened(float value) { return value; }
inline void put(float value, float* to) { *to = value; }
inline void put(float value, uint16_t* to) { *to = rounded_half(value); }

// Attention of queries [Heads, size] over the same `count` keys and values [count, size], all of them seen; y [Heads,
// size]. Number is float or bfloat16. Scratch: Heads * (count + size) elements. `size` is a multiple of 16.
template <int Heads, typename Number>
void attend_heads(const Number* q, const Number* keys, const Number* values, int64_t count, int64_t size, float* scratch,
                  Number* y) {
  float *scores = scratch, *queries = scratch + Heads * count;  // [Heads, count], [Heads, size]
  const float scale = 1.0f / __builtin_sqrtf(static_cast<float>(size));
  for (int64_t i = 0; i < Heads * size; i++) queries[i] = widened(q[i]) * scale;
  for (int64_t j = 0; j < count; j++) {
    Sixteen parts[Heads] = {};
    for (int64_t c = 0; c < size; c += 16) {
      const Sixteen key = sixteen(keys + j * size + c);
      for (int h = 0; h < Heads; h++) parts[h] += sixteen(queries + h * size + c) * key;
    }
    for (int h = 0; h < Heads; h++) scores[h * count + j] = added_up(parts[h]);
  }
  for (int h = 0; h < Heads; h++) softmax(scores + h * count, count);
  for (int64_t c = 0; c < size; c += 16) {
    Sixteen sums[Heads] = {};
    for (int64_t j = 0; j < count; j++) {
      const Sixteen value = sixteen(values + j * size + c);
      for (int h = 0; h < Heads; h++) sums[h] += scores[h * count + j] * value;
    }
    for (int h = 0; h < Heads; h++) {
      float parts[16];
      memcpy(parts, sums + h, 64);
      for (int k = 0; k < 16; k++) put(parts[k], y + h * size + c + k);
    }
  }
}

template <typename Number>
void attend_any(const void* q, const void* keys, const void* values, int64_t heads, int64_t count, int64_t size,
                float* scratch, void* y) {
  auto* attended = heads == 4 ? attend_heads<4, Number> : heads == 2 ? attend_heads<2, Number> : attend_heads<1, Number>;
  attended(static_cast<const Number*>(q), static_cast<const Number*>(keys), static_cast<const Number*>(values), count,
           size, scratch, static_cast<Number*>(y));
}

// The same for 1, 2 or 4 heads of `kind`.
void attend(int kind, const void* q, const void* keys, const void* values, int64_t heads, int64_t count, int64_t size,
            float* scratch, void* y) {
  (kind == BFLOAT16 ? attend_any<uint16_t> : attend_any<float>)(q, keys, values, heads, count, size, scratch, y);
}

// 64 random numbers of Philox4x32-10 (Salmon, Moraes, Dror and Shaw, 2011): number 16 w + l is word w of the counter
// `first` + l under the key `seed`.
inline void philox(uint64_t seed, uint64_t first, uint32_t* numbers) {
  uint32_t *a = numbers, *b = a + 16, *c = b + 16, *d = c + 16;
  for (int l = 0; l < 16; l++) {
    a[l] = static_cast<uint32_t>(first + l);
    b[l] = static_cast<uint32_t>((first + l) >> 32);
    c[l] = d[l] = 0;
  }
  uint32_t low = static_cast<uint32_t>(seed), high = static_cast<uint32_t>(seed >> 32);
  for (int round = 0; round < 10; round++, low += 0x9E3779B9, high += 0xBB67AE85) {
    for (int l = 0; l < 16; l++) {
      const uint64_t p = static_cast<uint64_t>(a[l]) * 0xD2511F53, q = static_cast<uint64_t>(c[l]) * 0xCD9E8D57;
      a[l] = static_cast<uint32_t>(q >> 32) ^ b[l] ^ low;
      c[l] = static_cast<uint32_t>(p >> 32) ^ d[l] ^ high;
      b[l] = static_cast<uint32_t>(q);
      d[l] = static_cast<uint32_t>(p);
    }
  }
}

// `count` of 64 elements times `scale`, or 0 where the random number of the place is below `below`; y may be x.
template <typename Number>
inline void drop_some(const Number* x, const uint32_t* numbers, uint32_t below, float scale, int64_t count, Number* y) {
  for (int64_t i = 0; i < count; i++) {
    const float kept = numbers[i] < below ? 0.0f : scale;
    if constexpr (sizeof(Number) == 2) {
      y[i] = rounded_half(widened(x[i]) * kept);
    } else {
      y[i] = x[i] * kept;
    }
  }
}

template <typename Number>
void drop_any(const Number* x, uint64_t seed, int64_t begin, int64_t end, uint32_t below, float scale, Number* y) {
  uint32_t numbers[64];
  for (int64_t i = begin; i < end; i += 64) {
    philox(seed, i / 4, numbers);
    drop_some(x + i, numbers, below, scale, end - i < 64 ? end - i : 64, y + i);
  }
}

// Dropout of the elements `begin` (a multiple of 64) to `end` of `kind`, each by its own random number of `seed`.
void drop(int kind, const void* x, uint64_t seed, int64_t begin, int64_t end, uint32_t below, float scale, void* y) {
  if (kind == BFLOAT16) {
    drop_any(static_cast<const uint16_t*>(x), seed, begin, end, below, scale, static_cast<uint16_t*>(y));
  } else {
    drop_any(static_cast<const float*>(x), seed, begin, end, below, scale, static_cast<float*>(y));
  }
}

}  // namespace

// All of the above, in the order of matrix.h.
#define SMALL \
  rms_norm, layer_norm, swiglu, relu2, interleaved_rope, rope_2d, add, add_scaled, low_rank_inner, low_rank_outer, gelu, \
      attention_grad, attend, drop
