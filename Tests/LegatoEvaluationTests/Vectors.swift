import Foundation
import LegatoAudio
import LegatoNN
import LegatoTensor
import Testing

/// What the original code made of the weights and the sound of a formula: Vectors/NAME.json, by Vectors/make_vectors.py.
struct Vectors {
  private let content: [String: Any]

  init(_ name: String) throws {
    let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("Vectors/\(name).json")
    content = try #require(JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any])
  }

  func floats(_ key: String) throws -> [Float] {
    try #require(content[key] as? [Double], "\(key)").map { Float($0) }
  }

  /// Names and shapes of a state dict.
  func shapes(_ key: String = "shapes") throws -> [String: [Int]] {
    try #require(content[key] as? [String: [Int]], "\(key)")
  }

  /// Fails where a value is further from the original's than 5e-5 of their root mean square; 1e-5 was the most that was measured.
  func expect(
    _ values: [Float], are key: String,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let originals = try floats(key)
    try #require(values.count == originals.count, sourceLocation: sourceLocation)
    let scale = (originals.reduce(0) { $0 + $1 * $1 } / Float(originals.count)).squareRoot()
    let error = zip(values, originals).map { abs($0 - $1) }.max() ?? 0
    #expect(error <= 5e-5 * scale, "\(key): \(error / scale) of the RMS", sourceLocation: sourceLocation)
  }
}

/// Weights and sound that Python makes to the bit, too.
enum Formula {
  /// Numbers in [−1, 1): SplitMix64 of the index, begun with FNV-1a of the name.
  static func uniform(_ name: String, _ count: Int) -> [Float] {
    let seed = name.utf8.reduce(UInt64(0xcbf2_9ce4_8422_2325)) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    return [Float](unsafeUninitializedCapacity: count) { values, initialized in
      var state = seed
      for index in 0..<count {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ z >> 30) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ z >> 27) &* 0x94d0_49bb_1331_11eb
        z ^= z >> 31
        values[index] = Float(z >> 40) / 8_388_608 - 1
      }
      initialized = count
    }
  }

  /// As make_vectors.py's `tensor`.
  static func values(_ name: String, _ shape: [Int]) -> [Float] {
    let isInput = name.contains("bn0") || name.contains("batch_norm")
    let (centre, spread): (Float, Float) =
      if shape.count > 1 {
        (0, Float((6 / Double(shape.dropFirst().reduce(1, *))).squareRoot()))
      } else if name.hasSuffix("running_var") {
        isInput ? (400, 200) : (1, 0.5)
      } else if name.hasSuffix("running_mean") {
        isInput ? (-30, 10) : (0, 0.3)
      } else if name.hasSuffix("weight") {
        (1, 0.5)
      } else {
        (0, 0.3)
      }
    var values = uniform(name, shape.reduce(1, *))
    for index in values.indices { values[index] = centre + spread * values[index] }
    return values
  }

  /// A rising tone that swells four times a second, with noise.
  static func sound(_ rate: Int, seconds: Double) -> AudioBuffer {
    let noise = uniform("sound", Int(Double(rate) * seconds))
    let samples = noise.enumerated().map { index, noise in
      let t = Double(index) / Double(rate)
      let tone = 0.4 * sin(2 * .pi * (110 * t + 300 * t * t)) * (0.6 + 0.4 * sin(2 * .pi * 4 * t))
      return Float(tone + 0.1 * Double(noise))
    }
    return AudioBuffer(sampleRate: rate, channels: [samples])
  }
}

/// Weights of the formula for whatever is asked for, and what was.
final class FormulaWeights: WeightSource {
  private(set) var shapes: [String: [Int]] = [:]
  private(set) var weights: [Weight] = []
  /// What is no noise in a published file, either.
  private let given: [String: [Float]]

  init(given: [String: [Float]] = [:]) { self.given = given }

  func weight(named name: String, shape: [Int], initial: Initializer) throws -> Weight {
    shapes[name] = shape
    let weight = Weight(name: name, shape: shape, values: given[name] ?? Formula.values(name, shape))
    weights.append(weight)
    return weight
  }
}
