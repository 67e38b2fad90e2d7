import Foundation
import LegatoTensor
import Testing

@testable import LegatoModels

/// Formats of weights: what they lose, how they are stored, and what is no such file.
@Suite struct WeightFormatTests {
  private static func matrix(_ rows: Int, _ columns: Int, name: String = "layer.weight") -> Weight {
    Weight(
      name: name, shape: [rows, columns],
      values: RandomStream(seed: 3, name: "\(rows)x\(columns)").normal(rows * columns))
  }

  private static func error(_ a: Weight, _ b: Weight) -> Float {
    let (x, y) = (a.floats(), b.floats())
    let difference = zip(x, y).reduce(Float(0)) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
    return (difference / x.reduce(0) { $0 + $1 * $1 }).squareRoot()
  }

  /// RMS errors of normal values: a step's deviation is its size / √12.
  @Test(
    arguments: [
      (WeightFormat.float32, Float(0)...0, 4), (.bfloat16, 0.001...0.003, 2),
      (.int8(group: 64), 0.004...0.007, 1),
      (.int4(group: 32), 0.06...0.085, 0.5), (.int4(group: 16), 0.05...0.07, 0.5),
    ])
  func roundTrip(_ format: WeightFormat, _ losses: ClosedRange<Float>, _ bytes: Double) throws {
    let original = Self.matrix(48, 256)
    let weight = original.converted(to: format)
    #expect(weight.format == format && weight.shape == original.shape)
    #expect(losses.contains(Self.error(original, weight)), "\(Self.error(original, weight))")
    #expect(weight.rows().values.byteCount == Int(Double(original.count) * bytes))
    #expect(weight.rows().scales?.byteCount == format.group.map { original.count / $0 * 4 })
    // 48 rows are three tiles, none of them filled up.
    #expect(
      weight.byteCount == weight.rows().values.byteCount + (weight.rows().scales?.byteCount ?? 0))
    // Rounded again nothing changes any more.
    #expect(weight.converted(to: format) === weight)
    #expect(Self.error(weight, weight.converted(to: .float32)) == 0)

    let folder = try Folder()
    let other = Weight(name: "bias", shape: [3], values: [1, 2, 3])
    try SafetensorsWriter.write([other, weight], to: folder.path("a.safetensors"))
    let file = try FileWeights(path: folder.path("a.safetensors"))
    let read = try file.weight(named: weight.name, shape: weight.shape, initial: .zeros)
    #expect(read.format == format && read.floats() == weight.floats() && read.isFinite)
    #expect(Array(read.storage.bytes) == Array(weight.storage.bytes))
    // The file has rows, whatever the layout in memory.
    let rows = weight.rows()
    let isTheSame = try withExtendedLifetime(rows) {
      try file.file.withBytes(weight.name) { $0.elementsEqual(rows.values.bytes) }
    }
    #expect(isTheSame)
    #expect(try file.weight(named: "bias", shape: [3], initial: .zeros).floats() == [1, 2, 3])

    // What the kernels compute with is what `floats` says, up to their rounding of the input.
    let engine = CPUEngine(threads: 1)
    let input = RandomStream(seed: 1, stream: 1).normal(256)
    let x = engine.tensor(input, shape: [1, 256])
    let y = Tensor.apply(.linear, [x, engine.tensor(of: read)]).floats()
    let values = weight.floats()
    var worst: Float = 0
    for row in 0..<48 {
      let exact = (0..<256).reduce(Float(0)) { $0 + values[row * 256 + $1] * input[$1] }
      worst = max(worst, abs(exact - y[row]))
    }
    #expect(worst < (format.group == nil ? 1e-4 : 0.5), "\(worst)")
  }

  /// What tells weights apart is the same whatever their layout.
  @Test(arguments: [WeightFormat.int8(group: 64), .int4(group: 32), .int4(group: 16), .bfloat16], [3, 50])
  func storedWords(_ format: WeightFormat, _ rows: Int) {
    let weight = Self.matrix(rows, 192).converted(to: format)
    for most in [7, .max] {
      var (words, expected): ([UInt64], [UInt64]) = ([], [])
      weight.forEachStoredWord(atMost: most) { words.append($0) }
      let rows = weight.rows()
      for storage in [rows.values, rows.scales].compactMap({ $0 }) {
        let count = storage.byteCount / 8
        for index in stride(from: 0, to: count, by: max(1, count / most)) {
          expected.append(storage.bytes.loadUnaligned(fromByteOffset: 8 * index, as: UInt64.self))
        }
        expected += storage.bytes[(8 * count)...].map { UInt64($0) }
      }
      #expect(words == expected)
    }
  }

  /// A large file is copied to large pages, a small one is used where it is mapped.
  @Test(arguments: [(rows: 2, isCopied: false), (rows: 3300, isCopied: true)])
  func largeFilesAreCopied(_ rows: Int, _ isCopied: Bool) throws {
    let folder = try Folder()
    let values = RandomStream(seed: 1, stream: 2).normal(rows * 4096)
    let weight = Weight(name: "w", shape: [rows, 4096], values: values)
    try SafetensorsWriter.write([weight], to: folder.path("a.safetensors"))
    let weights = try FileWeights(path: folder.path("a.safetensors"))
    let read = try weights.weight(named: "w", shape: weight.shape, initial: .zeros)
    #expect(read.floats() == values)
    #expect((read.storage.bytes.baseAddress != (try weights.file.pointer(to: "w"))) == isCopied)
    // Pages that were given back are read from the file again.
    #expect(try weights.file.withBytes("w") { $0.elementsEqual(read.storage.bytes) })
  }

  @Test func fourBitsReachEveryLevel() {
    // Eight steps to one side, seven to the other: the scale's sign follows.
    for sign: Float in [1, -1] {
      let row = (0..<32).map { sign * 0.25 * Float($0 % 16 - 8) }
      let weight = Weight(name: "w", shape: [1, 32], values: row).converted(to: .int4(group: 32))
      #expect(weight.floats() == row)
    }
    let zeros = Weight(name: "w", shape: [2, 32], values: [Float](repeating: 0, count: 64))
    #expect(zeros.converted(to: .int4(group: 32)).floats() == zeros.floats())
    #expect(zeros.converted(to: .int8(group: 32)).floats() == zeros.floats())
  }

  @Test(
    arguments: [
      (WeightFormat.int8(group: 64), [192, 576], WeightFormat.int8(group: 64)),
      (.int8(group: 64), [192, 96], .int8(group: 32)), (.int8(group: 64), [768, 7], .bfloat16),
      (.int8(group: 64), [192, 3844], .bfloat16), (.int8(group: 64), [64, 32], .float32),
      (.int4(group: 32), [192, 96], .int4(group: 32)), (.int4(group: 64), [192, 96], .int4(group: 32)),
      (.int4(group: 32), [192, 65], .bfloat16), (.int4(group: 128), [192, 192], .int4(group: 96)),
      (.int4(group: 32), [8192], .float32), (.bfloat16, [768, 7], .bfloat16),
      (.float32, [192, 576], .float32),
    ])
  func everyMatrixGetsAFormat(_ wanted: WeightFormat, _ shape: [Int], _ format: WeightFormat) {
    let count = shape.reduce(1, *)
    let weight = Weight(name: "w", shape: shape, values: RandomStream(seed: 1, stream: 0).normal(count))
    #expect(weight.storedFormat(for: wanted) == format)
    #expect(weight.stored(as: wanted).format == format)
  }

  /// Inputs that move together leave directions in which errors are not heard.
  @Test(arguments: [WeightFormat.int4(group: 32), .int8(group: 64)])
  func roundingThatKnowsTheInputs(_ format: WeightFormat) throws {
    let (rows, columns, count) = (32, 128, 512)
    let weight = Self.matrix(rows, columns)
    let engine = CPUEngine(threads: 1)
    let causes = engine.tensor(RandomStream(seed: 5, stream: 0).normal(count * 24), shape: [count, 24])
    let mixing = engine.tensor(RandomStream(seed: 6, stream: 0).normal(24 * columns), shape: [24, columns])
    let noise = engine.tensor(
      RandomStream(seed: 7, stream: 0).normal(count * columns), shape: [count, columns])
    let inputs = causes.matmul(mixing) + noise * 0.2
    func outputs(_ weight: Weight) -> [Float] {
      inputs.matmul(engine.tensor(weight.floats(), shape: [rows, columns]), transposed: true).floats()
    }
    let exact = outputs(weight)
    func error(_ weight: Weight) -> Float {
      zip(exact, outputs(weight)).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
    }
    let moments = inputs.permute([1, 0]).matmul(inputs).floats()
    let compensated = weight.converted(to: format, inputMoments: moments)
    #expect(compensated.format == format)
    #expect(error(compensated) < 0.4 * error(weight.converted(to: format)))
    // Inputs that are all zero tell nothing.
    let blind = weight.converted(to: format, inputMoments: [Float](repeating: 0, count: columns * columns))
    #expect(blind.floats() == weight.converted(to: format).floats())
  }

  @Test func filesThatAreNoWeights() throws {
    typealias Tensor = (name: String, dtype: SafetensorsDType, shape: [Int], bytes: [UInt8])
    func failure(_ tensors: [Tensor], shape: [Int] = [4, 64]) throws -> String {
      let folder = try Folder()
      let path = folder.path("a.safetensors")
      let writer = try SafetensorsWriter(
        path: path, tensors: tensors.map { .init($0.name, $0.dtype, $0.shape) })
      for tensor in tensors { try tensor.bytes.withUnsafeBytes { try writer.append($0, to: tensor.name) } }
      try writer.finish()
      do {
        _ = try FileWeights(path: path).weight(named: "w", shape: shape, initial: .zeros)
        return "none"
      } catch let error as ModelError {
        #expect("\(error)".hasPrefix(path))
        return "\(error)"
      }
    }
    func zeros(_ name: String, _ dtype: SafetensorsDType, _ shape: [Int]) -> Tensor {
      (name, dtype, shape, [UInt8](repeating: 0, count: shape.reduce(1, *) * dtype.byteCount))
    }
    let (int8, int4) = (zeros("w", .int8, [4, 64]), zeros("w", .uint8, [4, 32]))
    #expect(try failure([int8, zeros("w.scales", .float32, [4, 2])]) == "none")
    #expect(try failure([int4, zeros("w.scales", .float32, [4, 2])]) == "none")
    for matrix in [int8, int4] {
      #expect(try failure([matrix]).contains("'w.scales' is missing"))
      #expect(
        try failure([matrix, zeros("w.scales", .float32, [3, 2])]).contains("'w.scales' has shape [3, 2]"))
      #expect(try failure([matrix, zeros("w.scales", .float32, [4])]).contains("'w.scales' has shape [4]"))
      #expect(try failure([matrix, zeros("w.scales", .float32, [4, 0])]).contains("do not divide 64"))
      #expect(try failure([matrix, zeros("w.scales", .float32, [4, 3])]).contains("do not divide 64"))
      #expect(try failure([matrix, zeros("w.scales", .bfloat16, [4, 2])]).contains("scales are F32"))
      let bad = [Float](repeating: .nan, count: 8).withUnsafeBytes { Array($0) }
      #expect(try failure([matrix, ("w.scales", .float32, [4, 2], bad)]).contains("NaN"))
    }
    #expect(try failure([int4, zeros("w.scales", .float32, [4, 64])]).contains("groups of 1"))
    // Twice the columns are another model's.
    let wide = zeros("w", .uint8, [4, 64])
    #expect(try failure([wide, zeros("w.scales", .float32, [4, 2])]).contains("has shape [4, 64]"))
    let odd = zeros("w", .uint8, [4, 32])
    #expect(try failure([odd, zeros("w.scales", .float32, [4, 1])], shape: [4, 65]).contains("rows of 65"))
    #expect(try failure([zeros("w", .uint8, [256])], shape: [256]).contains("U8"))
    #expect(try failure([zeros("w", .int64, [4, 64])]).contains("I64"))
    var least = int8
    least.bytes[70] = 0x80
    #expect(try failure([least, zeros("w.scales", .float32, [4, 2])]).contains("−128"))
  }

  private final class Folder {
    private let url = FileManager.default.temporaryDirectory.appendingPathComponent(
      "legato-\(UUID().uuidString)")

    init() throws { try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true) }
    deinit { try? FileManager.default.removeItem(at: url) }
    func path(_ name: String) -> String { url.appendingPathComponent(name).path }
  }
}
