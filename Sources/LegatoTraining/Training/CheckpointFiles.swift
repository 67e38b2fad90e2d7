import LegatoModels
import LegatoTensor
import LegatoTorch

/// The safetensors files of a checkpoint.
enum CheckpointFiles {
  /// Throws ``NotFinite`` where a value is not finite: what is on disk can always be gone on from.
  static func write(_ weights: [Weight], to path: String) throws {
    for weight in weights { try check(weight.name, weight.floats()) }
    try SafetensorsWriter.write(weights, to: path)
  }

  static func write(_ state: [String: TensorValues], to path: String) throws {
    for (name, tensor) in state { try check(name, tensor.values) }
    let tensors = state.sorted { $0.key < $1.key }.map {
      SafetensorsWriter.FloatTensor($0.key, $0.value.shape, $0.value.values)
    }
    try SafetensorsWriter.write(tensors, to: path)
  }

  private static func check(_ name: String, _ values: [Float]) throws {
    guard values.allSatisfy(\.isFinite) else { throw NotFinite(name: name) }
  }

  /// A tensor that became NaN or infinite.
  struct NotFinite: Error {
    var name: String
  }

  static func read(_ path: String) throws -> [String: TensorValues] {
    let file = try SafetensorsFile(path: path)
    var state: [String: TensorValues] = [:]
    for entry in file.entries {
      state[entry.name] = TensorValues(shape: entry.shape, values: try file.floats(entry.name))
    }
    return state
  }

  /// Weights of these names and shapes, with stored values.
  static func weights(like weights: [Weight], from path: String) throws -> [Weight] {
    let file = try SafetensorsFile(path: path)
    return try weights.map {
      Weight(name: $0.name, shape: $0.shape, values: try file.floats($0.name, shape: $0.shape))
    }
  }

  /// Puts stored values into the backend's tensors of these weights.
  static func restore(weights: [Weight], from path: String, to backend: TorchBackend) throws {
    let file = try SafetensorsFile(path: path)
    for weight in weights {
      try backend.setValues(of: weight, to: try file.floats(weight.name, shape: weight.shape))
    }
  }
}
