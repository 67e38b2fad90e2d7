import CKernels

/// int8 and int4 matrices in the layout that their kernels read: `lk_tile` of `ckernels.h`.
///
/// A lane of a tile is an output, and all that a product reads is one run of bytes, scales included. Files have rows, which other
/// programs read, too; a matrix is laid out anew when it is loaded, in the time of a copy.
extension Weight {
  /// A quantised matrix from its rows, as files have them, in tiles where there are kernels for them.
  ///
  /// Nil where there is no memory for it.
  /// - Parameters:
  ///   - values: int8 `[outputs, inputs]`, or int4 `[outputs, inputs / 2]`.
  ///   - scales: `[outputs, inputs / group]`.
  public convenience init?(
    name: String, shape: [Int], format: WeightFormat, values: UnsafeRawBufferPointer,
    scales: UnsafeBufferPointer<Float>
  ) {
    precondition(
      shape.count == 2 && values.count * (format.isInt4 ? 2 : 1) == shape[0] * shape[1]
        && scales.count * (format.group ?? 0) == shape[0] * shape[1],
      "\(name): \(values.count) bytes and \(scales.count) scales for shape \(shape)")
    guard Self.isTiled(format, columns: shape[1]) else {
      guard let rows = WeightStorage(copying: values),
        let scales = WeightStorage(copying: UnsafeRawBufferPointer(scales))
      else { return nil }
      self.init(name: name, shape: shape, format: format, storage: rows, scales: scales)
      return
    }
    let (rows, columns) = (Int64(shape[0]), Int64(shape[1]))
    let tiles = WeightStorage(zeroed: Int(lk_tiled_bytes(format.kernelFormat, rows, columns))) { tiles in
      lk_tile(
        format.kernelFormat, values.baseAddress, scales.baseAddress, tiles.baseAddress, rows, columns)
    }
    guard let tiles else { return nil }
    self.init(name: name, shape: shape, format: format, storage: tiles, scales: nil)
  }

  private static func isTiled(_ format: WeightFormat, columns: Int) -> Bool {
    lk_is_tiled(format.kernelFormat, Int64(columns), Int64(format.group ?? 0)) != 0
  }

  /// The tiles; nil where the weight has rows.
  var tiles: WeightTiles? {
    guard shape.count == 2, Self.isTiled(format, columns: shape[1]) else { return nil }
    return WeightTiles(
      bytes: storage.bytes, rows: shape[0], rowBytes: shape[1] / (format.isInt4 ? 2 : 1),
      lines: format.isInt4 ? 4 : 16)
  }

  /// The bytes as a file has them, values and scales in rows.
  public func rows() -> (values: WeightStorage, scales: WeightStorage?) {
    guard tiles != nil, let group = format.group else { return (storage, scales) }
    var scales = [Float](repeating: 0, count: count / group)
    let values = WeightStorage(byteCount: format.isInt4 ? count / 2 : count) { values in
      lk_untile(
        format.kernelFormat, storage.bytes.baseAddress, values.baseAddress, &scales, Int64(shape[0]),
        Int64(shape[1]))
    }
    return (values, WeightStorage(copying: scales))
  }

  /// Calls `body` with words of what ``rows()`` gives, at most about `count` of the values and of the scales, evenly spread, and with
  /// the bytes that are left of either, as words.
  public func forEachStoredWord(atMost count: Int, _ body: (UInt64) -> Void) {
    // A few words are looked up in the tiles; for all of them the rows are made.
    if let tiles, count < .max {
      func visit(_ words: Int, _ four: (Int) -> UInt32) {
        for index in stride(from: 0, to: words / 2, by: max(1, words / 2 / count)) {
          body(UInt64(four(2 * index)) | UInt64(four(2 * index + 1)) << 32)
        }
        guard words % 2 == 1 else { return }
        for byte in 0..<4 { body(UInt64(four(words - 1) >> (8 * byte) & 255)) }
      }
      visit(tiles.rows * tiles.rowBytes / 4, tiles.value)
      visit(tiles.rows * tiles.groups, tiles.scale)
      return
    }
    let rows = rows()
    withExtendedLifetime(rows) {
      for bytes in [rows.values.bytes, rows.scales?.bytes].compactMap({ $0 }) {
        let words = bytes.count / 8
        for index in stride(from: 0, to: words, by: max(1, words / count)) {
          body(bytes.loadUnaligned(fromByteOffset: 8 * index, as: UInt64.self))
        }
        for offset in 8 * words..<bytes.count { body(UInt64(bytes[offset])) }
      }
    }
  }
}

/// A view of a matrix in tiles of 16 rows: each group in `lines` cache lines of values and one of scales.
struct WeightTiles {
  let bytes: UnsafeRawBufferPointer
  let rows: Int
  let rowBytes: Int
  let lines: Int

  var groups: Int { rowBytes / (4 * lines) }

  private func four(row: Int, group: Int, line: Int) -> UInt32 {
    let place = ((row / 16 * groups + group) * (lines + 1) + line) * 64 + row % 16 * 4
    return bytes.load(fromByteOffset: place, as: UInt32.self)
  }

  /// Four bytes of values, counted along the rows.
  func value(_ index: Int) -> UInt32 {
    let (row, column) = (4 * index / rowBytes, 4 * index % rowBytes / 4)
    return four(row: row, group: column / lines, line: column % lines)
  }

  var scalesAreFinite: Bool {
    stride(from: lines * 64, to: bytes.count, by: (lines + 1) * 64).allSatisfy { place in
      let bits = bytes.load(fromByteOffset: place, as: SIMD16<UInt32>.self)
      return !any((bits & 0x7f80_0000) .== 0x7f80_0000)
    }
  }

  /// A scale's bits, counted along the rows.
  func scale(_ index: Int) -> UInt32 { four(row: index / groups, group: index % groups, line: lines) }
}

extension WeightFormat {
  var isInt4: Bool { if case .int4 = self { true } else { false } }

  /// The format's number in `ckernels.h`.
  var kernelFormat: Int32 {
    switch self {
    case .float32: Int32(LK_F32.rawValue)
    case .bfloat16: Int32(LK_BF16.rawValue)
    case .int8: Int32(LK_INT8.rawValue)
    case .int4: Int32(LK_INT4.rawValue)
    }
  }
}
