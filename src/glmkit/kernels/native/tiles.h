// Tiles times any number of rows, by four at most. The file that includes this one says how:
//
//     tile_rows<Bits, Rows>(w, tile, a, row, sums, stride)    a tile times so many rows of activations

namespace {

using TileRows = void (*)(const Matrix&, int64_t, const Activations&, int64_t, float*, int64_t);
const TileRows table[2][4] = {{tile_rows<4, 1>, tile_rows<4, 2>, tile_rows<4, 3>, tile_rows<4, 4>},
                              {tile_rows<8, 1>, tile_rows<8, 2>, tile_rows<8, 3>, tile_rows<8, 4>}};

void tiles(const Matrix& w, int64_t tile, int64_t count, const Activations& a, int64_t begin, int64_t end, float* sums) {
  for (int64_t t = 0; t < count; t++)
    for (int64_t row = begin; row < end; row += 4) {
      const int64_t rows = end - row < 4 ? end - row : 4;
      table[w.bits == 8][rows - 1](w, tile + t, a, row, sums + (row - begin) * count * 16 + t * 16, count * 16);
    }
}

}  // namespace
