// The entry points that Python calls, the choice of an instruction set, and the work shared out to threads.
#include "matrix.h"

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <thread>

#if defined(__x86_64__)
#include <cpuid.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#endif

namespace {

const Isa* isa = nullptr;

// libgomp's, as torch has loaded it: the threads of torch's own pool then do our work too, and none compete.
using Parallel = void (*)(void (*)(void*), void*, unsigned, unsigned);
Parallel gomp_parallel = nullptr;

// Threads that stay together for many pieces of work, one after the other. The leader waits for shares that were taken,
// never for a helper: one whose core another program has takes none, and the leader does them all.
class Team {
 public:
  // leader() on this thread, while the others of libgomp's region help.
  template <class Leader>
  static void run(int threads, const Leader& leader) {
    if (threads <= 1 || !gomp_parallel || current) return leader();
    struct Shared {
      Team team;
      const Leader& leader;
    } shared{{}, leader};
    shared.team.leading = &current;
    gomp_parallel(
        [](void* p) {
          auto& s = *static_cast<Shared*>(p);
          if (s.team.leading != &current) return s.team.help();
          current = &s.team;
          s.leader();
          current = nullptr;
          s.team.over.store(true, std::memory_order_release);
        },
        &shared, static_cast<unsigned>(threads), 0);
  }

  // work(i) for i in 0..count-1 by the leader and whoever helps.
  template <class Work>
  void each(int64_t count, const Work& work) {
    call = [](const void* w, int64_t i) { (*static_cast<const Work*>(w))(i); };
    what = &work;
    finished.store(0, std::memory_order_relaxed);
    const uint64_t last = ticket.load(std::memory_order_relaxed);
    ticket.store(((last >> 48) + 1) << 48 | static_cast<uint64_t>(count) << 24, std::memory_order_release);
    while (take()) {
    }
    for (int turns = 0; finished.load(std::memory_order_acquire) < count; turns++) wait(turns);
  }

  static thread_local Team* current;  // of the thread that leads one

 private:
  std::atomic<uint64_t> ticket{0};  // which work it is, 16 bits; shares in all and the next one, 24 bits each
  std::atomic<int64_t> finished{0};
  std::atomic<bool> over{false};
  void (*call)(const void*, int64_t) = nullptr;
  const void* what = nullptr;
  Team** leading = nullptr;

  bool take() {
    const uint64_t mask = (1 << 24) - 1;
    uint64_t now = ticket.load(std::memory_order_acquire);
    while ((now & mask) < (now >> 24 & mask))
      if (ticket.compare_exchange_weak(now, now + 1, std::memory_order_acq_rel)) {
        call(what, static_cast<int64_t>(now & mask));
        finished.fetch_add(1, std::memory_order_release);
        return true;
      }
    return false;
  }

  void help() {
    for (int turns = 0; !over.load(std::memory_order_acquire); turns++)
      if (take()) turns = 0;
      else wait(turns);
  }

  static void wait(int turns) {
    if (turns >= 4096) {  // the core may be needed
      std::this_thread::yield();
      return;
    }
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
  }
};
thread_local Team* Team::current = nullptr;

// Calls work(i) for i in 0..count-1, on up to `threads` threads that take one i after the other.
template <class Work>
void each(int64_t count, int threads, const Work& work) {
  if (threads > count) threads = static_cast<int>(count);
  if (threads > 1 && Team::current && count < 1 << 24) return Team::current->each(count, work);
  if (threads <= 1 || !gomp_parallel || Team::current) {
    for (int64_t i = 0; i < count; i++) work(i);
    return;
  }
  struct Shared {
    const Work& work;
    int64_t count;
    std::atomic<int64_t> next{0};
  } shared{work, count};
  gomp_parallel(
      [](void* p) {
        auto& s = *static_cast<Shared*>(p);
        for (int64_t i; (i = s.next.fetch_add(1, std::memory_order_relaxed)) < s.count;) s.work(i);
      },
      &shared, static_cast<unsigned>(threads), 0);
}

// Memory that a thread keeps for its next call.
struct Scratch {
  void* memory = nullptr;
  size_t size = 0;
  ~Scratch() { std::free(memory); }
  char* take(size_t wanted) {
    if (wanted > size) {
      std::free(memory);
      size = (wanted + 4095) / 4096 * 4096;
      memory = std::aligned_alloc(4096, size);
      if (!memory) std::abort();
    }
    return static_cast<char*>(memory);
  }
};
thread_local Scratch activations_scratch, tile_scratch, step_scratch, low_rank_scratch;

#if defined(__x86_64__)
struct Registers {
  unsigned a = 0, b = 0, c = 0, d = 0;
};
Registers cpuid(unsigned leaf, unsigned subleaf) {
  Registers r;
  __get_cpuid_count(leaf, subleaf, &r.a, &r.b, &r.c, &r.d);
  return r;
}
unsigned long long enabled_state() {
  unsigned low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (static_cast<unsigned long long>(high) << 32) | low;
}
#endif

// The instruction sets that this processor and system can run, best first.
int available(const Isa** found) {
  int count = 0;
#if defined(__x86_64__)
  Registers one = cpuid(1, 0), seven = cpuid(7, 0), more = cpuid(7, 1);
  bool os = (one.c >> 27 & 1) != 0;
  unsigned long long state = os ? enabled_state() : 0;
  bool avx2 = (state & 6) == 6 && (seven.b >> 5 & 1) && (one.c >> 12 & 1) && (one.c >> 29 & 1);
  bool avx512 = avx2 && (state & 0xe6) == 0xe6 && (seven.b >> 16 & 1) && (seven.b >> 30 & 1) && (seven.b >> 31 & 1) &&
                (seven.b >> 17 & 1) && (seven.c >> 11 & 1) && (seven.c >> 1 & 1);
  bool amx = avx512 && (seven.d >> 22 & 1) && (seven.d >> 24 & 1) && (seven.d >> 25 & 1) && (state >> 17 & 3) == 3;
#if defined(__linux__)
  amx = amx && syscall(SYS_arch_prctl, 0x1023, 18) == 0;  // ARCH_REQ_XCOMP_PERM for the tile registers
#else
  amx = false;
#endif
  if (amx && amx_isa) found[count++] = amx_isa;
  if (avx512 && avx512_isa) found[count++] = avx512_isa;
  if (avx2 && (more.a >> 4 & 1) && avxvnni_isa) found[count++] = avxvnni_isa;
  if (avx2 && avx2_isa) found[count++] = avx2_isa;
#endif
  if (neon_isa) found[count++] = neon_isa;
  return count;
}

const int64_t CHUNK = 1 << 20;  // bytes of weights that a thread takes at a time
const int64_t FEW = 5;  // rows of x that AMX leaves to the vectors: they read faster (ALIKE in kernels/linear.py)

size_t rounded(size_t bytes) { return (bytes + 63) / 64 * 64; }

}  // namespace

extern "C" {

// The instruction sets that can run here, best first, with commas between them.
const char* glmkit_isas() {
  static char names[64];
  const Isa* found[8];
  names[0] = 0;
  for (int i = 0, count = available(found); i < count; i++) {
    if (i) std::strcat(names, ",");
    std::strcat(names, found[i]->name);
  }
  return names;
}

// Chooses an instruction set by name; 0 where it cannot run here.
int glmkit_choose(const char* name) {
  const Isa* found[8];
  for (int i = 0, count = available(found); i < count; i++)
    if (!std::strcmp(found[i]->name, name)) {
      isa = found[i];
      return 1;
    }
  return 0;
}

void glmkit_threads(void* parallel) { gomp_parallel = reinterpret_cast<Parallel>(parallel); }

// Puts integers as a file has them, int8 [rows, columns] or [rows, columns / 2], with their scales and zeros (null: none)
// [rows, columns / group], into the order of matrix.h. `group` 0: a scale for the whole row.
void glmkit_pack(const uint8_t* integers, const uint16_t* scales, const int8_t* zeros, int bits, int64_t rows,
                 int64_t columns, int64_t group, uint8_t* to, int threads) {
  const int64_t padded = (columns + 63) / 64 * 64, bytes = bits == 8 ? columns : columns / 2;
  const Matrix w{to, (rows + 15) / 16, padded, group ? group : padded, bits, zeros != nullptr};
  const int64_t groups = group ? columns / group : 1, each_row = w.group * bits / 32;  // words of a tile block, in a row
  const int64_t words = padded * bits / 32;  // of four bytes, in a row
  each((rows + 15) / 16, threads, [&](int64_t tile) {
    for (int64_t begin = 0; begin < words; begin += 16) {  // a kilobyte of each side at a time
      const int64_t some = words - begin < 16 ? words - begin : 16;
      uint32_t lines[16][16] = {};  // [row][word]
      for (int64_t i = 0; i < 16; i++) {
        const int64_t row = tile * 16 + i, left = row < rows ? bytes - begin * 4 : 0;
        uint32_t* line = lines[i];
        if (left > 0) std::memcpy(line, integers + row * bytes + begin * 4, static_cast<size_t>(left < 64 ? left : 64));
        for (int j = 0; bits == 4 && j < 16; j++) {  // halves of bytes: columns 10 32 54 76 become 40 51 62 73
          const uint32_t c = line[j];
          line[j] = (c >> 4 & 0x0000f00fu) | (c >> 16 & 0x000000f0u) | (c << 8 & 0x00000f00u) |
                    (c << 4 & 0xf00f0000u) | (c >> 8 & 0x00f00000u) | (c << 16 & 0x0f000000u);
        }
      }
      for (int64_t word = 0; word < some; word++) {
        uint32_t turned[16];
        for (int64_t i = 0; i < 16; i++) turned[i] = lines[i][word] ^ (bits == 8 ? 0x80808080u : 0x88888888u);
        const int64_t g = (begin + word) / each_row;
        std::memcpy(const_cast<uint8_t*>(w.tile_block(tile, g)) + (begin + word - g * each_row) * 64, turned, 64);
      }
    }
    for (int64_t g = 0; g < padded / w.group; g++) {
      uint16_t steps[16] = {};
      int8_t offsets[16] = {};
      for (int64_t i = 0; i < 16; i++) {
        const int64_t row = tile * 16 + i;
        if (row < rows && g < groups) {
          steps[i] = scales[row * groups + g];
          if (zeros) offsets[i] = zeros[row * groups + g];
        }
      }
      uint8_t* out = const_cast<uint8_t*>(w.scales(tile, g));
      std::memcpy(out, steps, 32);
      if (zeros) std::memcpy(out + 32, offsets, 16);
    }
  });
}

// y [m, rows], `apart` elements from row to row, = x [m, columns] times the transpose of the packed matrix, plus bias; x,
// bias and y are of `kind`.
static void packed_product(const uint8_t* tile_blocks, int zeros, int bits, int64_t rows, int64_t columns, int64_t group,
                           int64_t block, const void* x, int kind, int64_t m, const void* bias, void* y, int64_t apart,
                           int threads) {
  const int64_t padded = (columns + 63) / 64 * 64;
  const Matrix w{tile_blocks, (rows + 15) / 16, padded, group ? group : padded, bits, zeros != 0};
  const size_t width = kind == FLOAT32 ? 4 : 2;
  const bool dequantized = isa->product && kind == BFLOAT16 && m > 32;  // others have digits that bfloat16 would lose
  const int64_t most = isa->block && !dequantized ? 32 : 512;  // rows of x at a time, so that they stay in the cache
  for (int64_t first = 0; first < m; first += most) {
    const int64_t count = m - first < most ? m - first : most;
    const char* from = static_cast<const char*>(x) + first * columns * width;
    char* to = static_cast<char*>(y) + first * apart * width;
    auto write = [&](int64_t row, int64_t column, int64_t wide, const float* sums) {
      if (column + wide > rows) wide = rows - column;
      isa->store(sums, bias ? static_cast<const char*>(bias) + column * width : nullptr, wide, kind,
                 to + (row * apart + column) * width);
    };
    if (dequantized) {
      const int64_t even = (count + 31) / 32 * 32, wide = 16;
      uint16_t* panels = reinterpret_cast<uint16_t*>(activations_scratch.take(2 * even * padded));
      each(even, threads, [&](int64_t row) {
        isa->panel_row(from + row * columns * width, kind, row < count ? columns : 0, padded,
                       panels + row / 16 * 16 * padded + row % 16 * 32);
      });
      each((w.tiles + wide - 1) / wide, threads, [&](int64_t i) {
        const int64_t tile = i * wide, tiles = w.tiles - tile < wide ? w.tiles - tile : wide;
        const int64_t stride = (wide + 1) * 16;  // rows that are not a power of two apart do not fight for the cache
        float* sums = reinterpret_cast<float*>(tile_scratch.take(4 * even * stride + 2 * 2 * DEPTH * 16));
        isa->product(w, tile, tiles, panels, even, sums, stride, reinterpret_cast<uint16_t*>(sums + even * stride));
        for (int64_t row = 0; row < count; row++) write(row, tile * 16, tiles * 16, sums + row * stride);
      });
      continue;
    }
    const bool blocks_of_rows = isa->block && m > FEW;
    const int64_t panel = count >= 16 ? 16 : !blocks_of_rows ? count : count <= 8 ? 8 : 16;
    const int64_t padded_count = (count + panel - 1) / panel * panel;
    const size_t values = rounded(padded_count * padded), numbers = rounded(4 * padded_count * (padded / block));
    char* memory = activations_scratch.take(values + 3 * numbers);
    Activations a{reinterpret_cast<int8_t*>(memory),
                  reinterpret_cast<float*>(memory + values),
                  reinterpret_cast<int32_t*>(memory + values + numbers),
                  reinterpret_cast<float*>(memory + values + 2 * numbers),
                  padded_count, panel, padded, block};
    each(padded_count, threads, [&](int64_t row) {
      isa->quantize(from + row * columns * width, kind, row < count ? columns : 0, a, row, bits);
    });
    // Long enough that reading is not always beginning anew, short enough that the threads end together.
    const int64_t share = (w.tiles + threads - 1) / threads, sixes = CHUNK / (6 * w.tile_bytes());
    const int64_t wide = sixes < 1 ? 6 : 6 * sixes < share ? 6 * sixes : share;  // for two streams or three
    each((w.tiles + wide - 1) / wide, threads, [&](int64_t i) {
      const int64_t tile = i * wide, tiles = w.tiles - tile < wide ? w.tiles - tile : wide;
      const size_t shop = blocks_of_rows ? isa->shop + 8 * padded : 0;
      char* mine = tile_scratch.take(shop + 4 * padded_count * tiles * 16);
      float* sums = reinterpret_cast<float*>(mine + shop);
      if (blocks_of_rows) isa->block(w, tile, tiles, a, sums, mine);
      for (int64_t row = 0, last; !blocks_of_rows && row < padded_count; row = last) {
        last = row + 8 < (row / panel + 1) * panel ? row + 8 : (row / panel + 1) * panel;
        isa->tiles(w, tile, tiles, a, row, last, sums + row * tiles * 16);
      }
      for (int64_t row = 0; row < count; row++) write(row, tile * 16, tiles * 16, sums + row * tiles * 16);
    });
  }
}

// The same with bfloat16 weights, for up to 32 rows of x, at least sixteen of the weights and columns in multiples of 32.
static void side_product(const uint16_t* w, int64_t rows, int64_t columns, const uint16_t* x, int64_t m,
                         const uint16_t* bias, uint16_t* y, int64_t apart, int threads) {
  const int64_t panels = (m + 15) / 16, size = panels * 16 * columns;
  auto* side = reinterpret_cast<uint16_t*>(activations_scratch.take(static_cast<size_t>(2 * size)));
  std::memset(side, 0, static_cast<size_t>(2 * size));
  each(m, threads, [&](int64_t row) {
    isa->side_row(x + row * columns, columns, row % 16, side + row / 16 * 16 * columns);
  });
  const int64_t strips = CHUNK / (64 * columns) + 1, share = (rows + threads - 1) / threads;
  const int64_t some = 32 * strips < share ? 32 * strips : (share + 31) / 32 * 32;
  each((rows + some - 1) / some, threads, [&](int64_t i) {
    const int64_t begin = i * some, left = rows - begin, count = left < some ? left : some;
    const int64_t whole = count / 16 * 16, rest = count - whole, stride = 16 * panels;
    float* sums = reinterpret_cast<float*>(tile_scratch.take(static_cast<size_t>(4 * ((count + 16) * stride + count))));
    float *last = sums + count * stride, *line = last + 16 * stride;
    isa->half_block(w + begin * columns, whole, columns, side, panels, sums);
    if (rest) {  // fewer than sixteen rows at the end are multiplied with those before them
      isa->half_block(w + (rows - 16) * columns, 16, columns, side, panels, last);
      std::memcpy(sums + whole * stride, last + (16 - rest) * stride, static_cast<size_t>(4 * rest * stride));
    }
    for (int64_t row = 0; row < m; row++) {
      for (int64_t j = 0; j < count; j++) line[j] = sums[j * stride + row];
      isa->store(line, bias ? bias + begin : nullptr, count, BFLOAT16, y + row * apart + begin);
    }
  });
}

// The same with 16-bit weights [rows, columns]; all of `kind`. The weights are read once.
static void half_product(const uint16_t* w, int kind, int64_t rows, int64_t columns, const void* x, int64_t m,
                         const void* bias, void* y, int64_t apart, int threads) {
  if (isa->half_block && kind == BFLOAT16 && m > FEW && m <= 32 && rows >= 16 && columns % 32 == 0) {
    side_product(w, rows, columns, static_cast<const uint16_t*>(x), m, static_cast<const uint16_t*>(bias),
                 static_cast<uint16_t*>(y), apart, threads);
    return;
  }
  const int64_t share = (rows + threads - 1) / threads, chunk = CHUNK / (2 * columns) + 1;
  const int64_t some = chunk < share ? chunk : share;
  each((rows + some - 1) / some, threads, [&](int64_t i) {
    const int64_t begin = i * some, count = rows - begin < some ? rows - begin : some;
    float* floats = reinterpret_cast<float*>(tile_scratch.take(4 * m * (columns + count)));
    float* sums = floats + m * columns;
    isa->half_rows(w + begin * columns, kind, count, columns, x, m, floats, sums);
    for (int64_t row = 0; row < m; row++)
      isa->store(sums + row * count, bias ? static_cast<const uint16_t*>(bias) + begin : nullptr, count, kind,
                 static_cast<uint16_t*>(y) + row * apart + begin);
  });
}

// Both products with rows of y side by side.
void glmkit_linear(const uint8_t* tile_blocks, int zeros, int bits, int64_t rows, int64_t columns, int64_t group,
                   int64_t block, const void* x, int kind, int64_t m, const void* bias, void* y, int threads) {
  packed_product(tile_blocks, zeros, bits, rows, columns, group, block, x, kind, m, bias, y, rows, threads);
}

void glmkit_linear_fp16(const uint16_t* w, int kind, int64_t rows, int64_t columns, const void* x, int64_t m,
                        const void* bias, void* y, int threads) {
  half_product(w, kind, rows, columns, x, m, bias, y, rows, threads);
}

// y = x / sqrt(mean(x * x) + epsilon) * weight, of rows of `columns` bfloat16 elements.
void glmkit_rms_norm(const uint16_t* x, const uint16_t* weight, float epsilon, int64_t rows, int64_t columns,
                     uint16_t* y, int threads) {
  each((rows + 15) / 16, threads, [&](int64_t i) {
    const int64_t count = rows - 16 * i < 16 ? rows - 16 * i : 16, at = 16 * i * columns;
    isa->rms_norm(x + at, weight, epsilon, count, columns, y + at);
  });
}

// y [rows, inner] = silu(gate) * value of x [rows, gate | value], bfloat16.
void glmkit_swiglu(const uint16_t* x, int64_t rows, int64_t inner, uint16_t* y, int threads) {
  each(rows, threads, [&](int64_t row) { isa->swiglu(x + row * 2 * inner, 1, inner, y + row * inner); });
}

// Heads of tokens, x [tokens, heads, size] with `apart` elements from token to token, rotated: y [tokens, heads, size].
void glmkit_apply_rope(const uint16_t* x, int64_t apart, const float* cos, const float* sin, int64_t tokens, int64_t heads,
                 int64_t size, int64_t pairs, uint16_t* y, int threads) {
  each(tokens, threads, [&](int64_t token) {
    isa->interleaved_rope(x + token * apart, cos + token * pairs, sin + token * pairs, heads, size, pairs,
                          y + token * heads * size);
  });
}

// GELU (tanh) of `count` elements, or `gradients` (null: none) times its derivative; y may be either of them. bfloat16.
void glmkit_gelu(const uint16_t* x, const uint16_t* gradients, int64_t count, uint16_t* y, int threads) {
  const int64_t some = 1 << 14;
  each((count + some - 1) / some, threads, [&](int64_t i) {
    const int64_t at = i * some, left = count - at;
    isa->gelu(x + at, gradients ? gradients + at : nullptr, left < some ? left : some, y + at);
  });
}

// Dropout of `count` elements of `kind`: 0 where an element's own random number of 32 bits is below `below`, times `scale`
// elsewhere. The same `seed` drops the same.
void glmkit_dropout(const void* x, int kind, uint64_t seed, int64_t count, int64_t below, float scale, void* y, int threads) {
  const int64_t some = 1 << 14;
  each((count + some - 1) / some, threads, [&](int64_t i) {
    const int64_t end = (i + 1) * some;
    isa->drop(kind, x, seed, i * some, end < count ? end : count, static_cast<uint32_t>(below), scale, y);
  });
}

// What attention's backward pass does between its products, in place: `matrices` of scores and gradients [queries, keys].
// `together` matrices have the bias [queries, keys] of one text, `apart` elements from text to text (null: none);
// `causal`: a query sees no key behind itself.
void glmkit_attention_grad(uint16_t* scores, uint16_t* gradients, const uint16_t* bias, int64_t apart, int64_t together,
                           int64_t matrices, int64_t queries, int64_t keys, int causal, float scale, float shift,
                           int threads) {
  const int64_t some = 16, parts = (queries + some - 1) / some;
  each(matrices * parts, threads, [&](int64_t i) {
    const int64_t matrix = i / parts, begin = i % parts * some, end = begin + some < queries ? begin + some : queries;
    for (int64_t query = begin; query < end; query++) {
      const int64_t at = (matrix * queries + query) * keys;
      isa->attention_grad(scores + at, gradients + at,
                          bias ? bias + matrix / together * apart + query * keys : nullptr, keys,
                          causal && query + 1 < keys ? query + 1 : keys, scale, shift);
    }
  });
}

// The rows of a cache that tokens go into: for each token the addresses of the keys and values [groups, capacity, size] of
// its row, and how many tokens stand before it there. Several tokens of one row stand behind each other.
struct Rows {
  const int64_t *keys, *values, *capacities, *lengths;
};

// Writes down the keys and values of tokens and attends over those of their rows up to themselves: q [tokens, heads,
// size], k and v [tokens, groups, size], each `apart_*` elements from token to token, of `kind`; y [tokens, heads, size].
static void attend_rows(int kind, const Rows& rows, int64_t tokens, const char* q, int64_t apart_q, const char* k,
                        int64_t apart_k, const char* v, int64_t apart_v, int64_t heads, int64_t groups, int64_t size,
                        char* y, int threads) {
  const int64_t bytes = kind == FLOAT32 ? 4 : 2, each_group = heads / groups;
  const int64_t together = each_group % 4 == 0 ? 4 : each_group % 2 == 0 ? 2 : 1;
  for (int64_t i = 0; i < tokens; i++)
    for (int64_t g = 0; g < groups; g++) {
      const int64_t at = (g * rows.capacities[i] + rows.lengths[i]) * size * bytes;
      std::memcpy(reinterpret_cast<char*>(rows.keys[i]) + at, k + (i * apart_k + g * size) * bytes, size * bytes);
      std::memcpy(reinterpret_cast<char*>(rows.values[i]) + at, v + (i * apart_v + g * size) * bytes, size * bytes);
    }
  each(tokens * heads / together, threads, [&](int64_t j) {
    const int64_t i = j / (heads / together), head = j % (heads / together) * together, count = rows.lengths[i] + 1;
    const int64_t at = head / each_group * rows.capacities[i] * size * bytes;
    isa->attend(kind, q + (i * apart_q + head * size) * bytes, reinterpret_cast<const char*>(rows.keys[i]) + at,
                reinterpret_cast<const char*>(rows.values[i]) + at, together, count, size,
                reinterpret_cast<float*>(tile_scratch.take(4 * together * (count + size))),
                y + (i * heads + head) * size * bytes);
  });
}

// The same for one layer; q, k and v are contiguous.
void glmkit_attend_rows(int kind, const Rows* rows, int64_t tokens, const void* q, const void* k, const void* v,
                        int64_t heads, int64_t groups, int64_t size, void* y, int threads) {
  attend_rows(kind, *rows, tokens, static_cast<const char*>(q), heads * size, static_cast<const char*>(k), groups * size,
              static_cast<const char*>(v), groups * size, heads, groups, size, static_cast<char*>(y), threads);
}

// What an adapter adds to a product of some of the rows: `indices` of them; a [rank, columns], b [rank, rows] and bias
// [rows] (null: none) in float32.
struct LowRank {
  const float *a, *b, *bias;
  const int64_t *indices;
  int64_t count, rank;
  float scale;
};

// A matrix as the two products above take it, with what adapters add.
struct Linear {
  const void *data, *bias;  // tile blocks, or 16-bit weights where bits is 16; null where a block has no such matrix
  const LowRank *added;
  int64_t rows, columns, group, block, bits, zeros, num_added;
};

struct Norm {
  const uint16_t *weight, *bias;  // null: ones, zeros
};

// A block of a Transformer that is made of them, with the rows of its layer of the cache. Outputs of q, k and v stand side
// by side, as do those of up and gate: in one matrix, or in one each (kernels/fused_decode.py lays the same out).
struct Block {
  Norm attention_norm, mlp_norm;
  Linear q, k, v, out, up, value, down;
  Rows cache;
};

// What all blocks have in common. Kinds are numbered as in kernels/fused_decode.py.
struct Architecture {
  int64_t heads, groups, size, pairs, norm, head_norm, rotation, activation;
  float epsilon, head_epsilon;
  float alpha;  // of ChatGLM-6B's residual stream, alpha * norm(x) + f(norm(x)); 0: x + f(norm(x))
};

enum NormKind { NO_NORM = 0, RMS_NORM = 1, LAYER_NORM = 2 };
enum RotationKind { NO_ROPE = 0, INTERLEAVED_ROPE = 1, ROPE_2D = 2 };
enum ActivationKind { SWIGLU = 0, GELU = 1, RELU2 = 2 };

static void multiply(const Linear& w, const uint16_t* x, int64_t m, uint16_t* y, int64_t apart, int threads) {
  if (!w.data) return;
  if (w.bits == 16)
    half_product(static_cast<const uint16_t*>(w.data), BFLOAT16, w.rows, w.columns, x, m, w.bias, y, apart, threads);
  else
    packed_product(static_cast<const uint8_t*>(w.data), static_cast<int>(w.zeros), static_cast<int>(w.bits), w.rows,
                   w.columns, w.group, w.block, x, BFLOAT16, m, w.bias, y, apart, threads);
  const int64_t some = 4096, parts = (w.rows + some - 1) / some;
  for (const LowRank* one = w.added; one < w.added + w.num_added; one++) {
    float* inner = reinterpret_cast<float*>(low_rank_scratch.take(4 * one->count * one->rank));
    each(one->count, threads, [&](int64_t i) {
      isa->low_rank_inner(x + one->indices[i] * w.columns, one->a, one->rank, w.columns, inner + i * one->rank);
    });
    each(one->count * parts, threads, [&](int64_t i) {
      const int64_t row = i / parts, begin = i % parts * some, end = begin + some < w.rows ? begin + some : w.rows;
      isa->low_rank_outer(inner + row * one->rank, one->b, one->bias, one->scale, one->rank, w.rows, begin, end,
                          y + one->indices[row] * apart);
    });
  }
}

static void normalize(int64_t kind, const Norm& norm, float epsilon, const uint16_t* x, int64_t rows, int64_t columns,
                      uint16_t* y, int threads) {
  if (kind == RMS_NORM) return glmkit_rms_norm(x, norm.weight, epsilon, rows, columns, y, threads);
  each(rows, threads, [&](int64_t row) {
    isa->layer_norm(x + row * columns, norm.weight, norm.bias, epsilon, 1, columns, y + row * columns);
  });
}

// Heads of queries and keys of one token [heads + groups, size], normalized and rotated in place; `spare` is as large.
static void norm_and_rope(const Architecture& a, uint16_t* heads, const float* cos, const float* sin, uint16_t* spare) {
  const int64_t count = a.heads + a.groups;
  if (a.head_norm == RMS_NORM) isa->rms_norm(heads, nullptr, a.head_epsilon, count, a.size, spare);
  if (a.head_norm == LAYER_NORM) isa->layer_norm(heads, nullptr, nullptr, a.head_epsilon, count, a.size, spare);
  if (a.head_norm != NO_NORM) std::memcpy(heads, spare, static_cast<size_t>(2 * count * a.size));
  if (a.rotation == NO_ROPE) return;
  if (a.rotation == INTERLEAVED_ROPE) isa->interleaved_rope(heads, cos, sin, count, a.size, a.pairs, spare);
  if (a.rotation == ROPE_2D) isa->rope_2d(heads, cos, sin, count, a.size, a.pairs / 2, spare);
  std::memcpy(heads, spare, static_cast<size_t>(2 * count * a.size));
}

static void activate(int64_t kind, const uint16_t* x, int64_t m, int64_t inner, uint16_t* y, int threads) {
  if (kind == GELU) return glmkit_gelu(x, nullptr, m * inner, y, threads);
  if (kind == SWIGLU) return glmkit_swiglu(x, m, inner, y, threads);
  each(m, threads, [&](int64_t row) { isa->relu2(x + row * inner, 1, inner, y + row * inner); });
}

// `m` tokens through `count` blocks, x [m, width] bfloat16 in place: norm, attention with rotary positions cos and sin
// [m, pairs] over the tokens of each one's row up to itself, norm, MLP. The same steps, rounded at the same places, as the
// modules take one by one.
void glmkit_fused_decode(const Block* blocks, int64_t count, const Architecture* architecture, uint16_t* x, int64_t m,
                         const float* cos, const float* sin, int threads) {
  const Architecture& a = *architecture;
  const int64_t width = blocks->out.rows, all = (a.heads + 2 * a.groups) * a.size, inner = blocks->down.columns;
  const int64_t wide = a.activation == SWIGLU ? 2 * inner : inner;
  auto* memory = reinterpret_cast<uint16_t*>(
      step_scratch.take(2 * (m * (2 * width + all + a.heads * a.size + wide + inner) + all)));
  uint16_t *normed = memory, *small = normed + m * width, *qkv = small + m * width, *attended = qkv + m * all;
  uint16_t *raised = attended + m * a.heads * a.size, *gated = raised + m * wide, *spare = gated + m * inner;
  auto add = [&] {  // what a part gave to the residual stream
    if (a.alpha == 0.0f) return isa->add(small, m * width, x);
    std::memcpy(x, normed, static_cast<size_t>(2 * m * width));
    isa->add_scaled(small, a.alpha, m * width, x);
  };
  Team::run(threads, [&] {
    for (const Block* b = blocks; b < blocks + count; b++) {
      normalize(a.norm, b->attention_norm, a.epsilon, x, m, width, normed, threads);
      multiply(b->q, normed, m, qkv, all, threads);
      multiply(b->k, normed, m, qkv + b->q.rows, all, threads);
      multiply(b->v, normed, m, qkv + b->q.rows + b->k.rows, all, threads);
      for (int64_t row = 0; row < m; row++)
        norm_and_rope(a, qkv + row * all, cos + row * a.pairs, sin + row * a.pairs, spare);
      attend_rows(BFLOAT16, b->cache, m, reinterpret_cast<const char*>(qkv), all,
                  reinterpret_cast<const char*>(qkv + a.heads * a.size), all,
                  reinterpret_cast<const char*>(qkv + (a.heads + a.groups) * a.size), all, a.heads, a.groups, a.size,
                  reinterpret_cast<char*>(attended), threads);
      multiply(b->out, attended, m, small, width, threads);
      add();
      normalize(a.norm, b->mlp_norm, a.epsilon, x, m, width, normed, threads);
      multiply(b->up, normed, m, raised, wide, threads);
      multiply(b->value, normed, m, raised + b->up.rows, wide, threads);
      activate(a.activation, raised, m, inner, gated, threads);
      multiply(b->down, gated, m, small, width, threads);
      add();
    }
  });
}

// For measuring how fast memory is read: the threads take 3 MiB after the other, in three streams that ask ahead for both
// caches, as the kernels do, and that do not come to the ends of pages together.
uint64_t glmkit_read(const uint64_t* memory, int64_t bytes, int threads) {
  std::atomic<uint64_t> total{0};
  const int64_t part = ((1 << 20) + 21 * 64) / 8, some = 3 * part;
  each(bytes / 8 / some, threads, [&](int64_t i) {
    uint64_t sum = 0;
    for (int64_t j = 0; j < part; j += 8)
      for (int64_t s = 0; s < 3; s++) {
        const uint64_t* from = memory + i * some + s * part + j;
        __builtin_prefetch(from + 192, 0, 3);
        __builtin_prefetch(from + 448, 0, 2);
        sum += *from;  // the rest of its 64 bytes comes with it
      }
    total += sum;
  });
  return total;
}
}
