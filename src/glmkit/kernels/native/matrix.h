// What the instruction sets share: how weights and activations lie in memory, and what each must offer.
//
// Weights.  Sixteen rows are a tile, one stream of bytes; a tile is one tile block after the other, one for each group:
//
//     | integers of sixteen rows | 16 scales, float16 | 16 zeros, int8, in forms that have them |
//
// For 8 bits, 64 bytes of integers hold four columns of sixteen rows:
//
//     row 0       row 1            row 15
//     c0 c1 c2 c3 c0 c1 c2 c3 ...  c0 c1 c2 c3     then columns 4..7 of the sixteen rows, and so on
//
// For 4 bits the same 64 bytes hold eight columns: byte j of a row has column j in its low half and column j + 4 in
// its high half. Integers are stored plus 128 or plus 8, so that they have no sign. Columns are padded to a multiple of
// 64, rows to one of 16.
//
// Activations.  Int8 in blocks of 32, 64 or 128 columns with a scale and the sum of the block. `panel` rows lie
// together, 64 columns of each after the other: [rows / panel, columns / 64, panel, 64]; scales and sums are
// [columns / block, padded rows].
#pragma once
#include <stddef.h>
#include <stdint.h>

struct Matrix {
  const uint8_t* tile_blocks;
  int64_t tiles;    // of sixteen rows
  int64_t columns;  // padded
  int64_t group;    // columns that share a scale
  int bits;
  bool zeros;

  int64_t integer_bytes() const { return group * 2 * bits; }  // of a tile block
  int64_t block_bytes() const { return integer_bytes() + (zeros ? 48 : 32); }
  int64_t tile_bytes() const { return columns / group * block_bytes(); }
  const uint8_t* tile_block(int64_t tile, int64_t g) const { return tile_blocks + tile * tile_bytes() + g * block_bytes(); }
  const uint8_t* scales(int64_t tile, int64_t g) const { return tile_block(tile, g) + integer_bytes(); }  // then the zeros
};

struct Activations {
  int8_t* values;
  float* scales;
  int32_t* sums;     // of the integers of a block, times -128 or -8: what the bias of the weights' integers adds
  float* block_sums;  // of the block itself: scale times the sum of its integers
  int64_t rows;      // padded to a multiple of panel
  int64_t panel;
  int64_t columns;   // padded
  int64_t block;
};

const int64_t DEPTH = 256;  // columns of the weights that are dequantized at a time

enum Kind { FLOAT32 = 0, BFLOAT16 = 1, FLOAT16 = 2 };

struct Isa {
  const char* name;
  // One row of `count` elements of `kind` into row `row` of `a`.
  void (*quantize)(const void* x, int kind, int64_t count, const Activations& a, int64_t row, int bits);
  // Rows begin..end-1 of the activations (of one panel, at most 8) times `count` tiles: sums [rows, count * 16].
  void (*tiles)(const Matrix& w, int64_t tile, int64_t count, const Activations& a, int64_t begin, int64_t end,
                float* sums);
  // `count` tiles times all rows, at most two panels of 16: sums [rows, count * 16]. Null where `tiles` is the best way.
  // `shop` bytes of scratch, and 8 for each column.
  void (*block)(const Matrix& w, int64_t tile, int64_t count, const Activations& a, float* sums, void* scratch);
  size_t shop;
  // Many rows, not rounded to 8 bits: bfloat16 in panels [rows / 16, columns / 32, 16, 32], which `panel_row` fills a
  // row at a time; `rows` is a multiple of 32. Sums [rows, stride] of `count` tiles; scratch: 2 * DEPTH * 16 elements.
  void (*panel_row)(const void* x, int kind, int64_t count, int64_t columns, uint16_t* to);
  void (*product)(const Matrix& w, int64_t tile, int64_t count, const uint16_t* x, int64_t rows, float* sums,
                  int64_t stride, uint16_t* scratch);
  // Rows of 16-bit weights [rows, columns] times the rows of x [m, columns] of the same kind: sums [m, rows], each summed
  // in the same order whatever m is. Scratch: `floats` [m, columns].
  void (*half_rows)(const uint16_t* w, int kind, int64_t rows, int64_t columns, const void* x, int64_t m, float* floats,
                    float* sums);
  // The same in bfloat16 alone for up to two panels of sixteen rows, which `side_row` fills a row at a time: [columns / 32,
  // 16 pairs of columns, 16, 2]. `rows` is a multiple of sixteen, `columns` of 32. Sums [rows, 16 * panels]. Null where
  // `half_rows` is the best way.
  void (*side_row)(const uint16_t* x, int64_t columns, int64_t row, uint16_t* to);
  void (*half_block)(const uint16_t* w, int64_t rows, int64_t columns, const uint16_t* x, int64_t panels, float* sums);
  void (*rms_norm)(const uint16_t* x, const uint16_t* weight, float epsilon, int64_t rows, int64_t columns,
                   uint16_t* y);
  void (*layer_norm)(const uint16_t* x, const uint16_t* weight, const uint16_t* bias, float epsilon, int64_t rows,
                     int64_t columns, uint16_t* y);
  void (*swiglu)(const uint16_t* x, int64_t rows, int64_t inner, uint16_t* y);
  void (*relu2)(const uint16_t* x, int64_t rows, int64_t inner, uint16_t* y);
  void (*interleaved_rope)(const uint16_t* x, const float* cos, const float* sin, int64_t heads, int64_t size,
                           int64_t pairs, uint16_t* y);
  void (*rope_2d)(const uint16_t* x, const float* cos, const float* sin, int64_t heads, int64_t size,
                  int64_t pairs, uint16_t* y);
  void (*add)(const uint16_t* x, int64_t count, uint16_t* y);
  void (*add_scaled)(const uint16_t* x, float alpha, int64_t count, uint16_t* y);
  void (*low_rank_inner)(const uint16_t* x, const float* a, int64_t rank, int64_t columns, float* inner);
  void (*low_rank_outer)(const float* inner, const float* b, const float* bias, float scale, int64_t rank, int64_t rows,
                         int64_t begin, int64_t end, uint16_t* y);
  void (*gelu)(const uint16_t* x, const uint16_t* gradients, int64_t count, uint16_t* y);
  void (*attention_grad)(uint16_t* scores, uint16_t* gradients, const uint16_t* bias, int64_t keys, int64_t seen,
                         float scale, float shift);
  void (*attend)(int kind, const void* q, const void* keys, const void* values, int64_t heads, int64_t count,
                 int64_t size, float* scratch, void* y);
  void (*drop)(int kind, const void* x, uint64_t seed, int64_t begin, int64_t end, uint32_t below, float scale, void* y);
  // count elements plus bias (null: none) as `kind`.
  void (*store)(const float* from, const void* bias, int64_t count, int kind, void* to);
};

extern const Isa* const avx512_isa;
extern const Isa* const amx_isa;
extern const Isa* const avx2_isa;
extern const Isa* const avxvnni_isa;
extern const Isa* const neon_isa;

static inline int8_t* value_at(const Activations& a, int64_t row, int64_t column) {
  return a.values + ((row / a.panel) * (a.columns / 64) + column / 64) * a.panel * 64 + row % a.panel * 64 + column % 64;
}
