import Foundation
import LegatoModels
import LegatoTraining

extension InfoReport {
  /// Looks at what is there and describes it.
  static func make(path: String) throws -> InfoReport {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
      throw CommandError("\(path): there is no such file or folder. Check the path")
    }
    return isFolder.boolValue ? try folder(path) : try file(path)
  }

  private static func folder(_ path: String) throws -> InfoReport {
    func has(_ name: String) -> Bool { FileManager.default.fileExists(atPath: "\(path)/\(name)") }
    if has("recipe.yaml") { return try run(path) }
    if has("state.json") { return checkpoint(try Checkpoint(path: path)) }
    if has("config.json") {
      return switch kindOfConfiguration(path) {
      case "codec": codec(try CodecPackage(path: path))
      case "classifier": classifier(try NoteClassifierPackage(path: path))
      default: model(try ModelPackage(path: path, streams: false))
      }
    }
    if has(LatentIndex.fileName) { return try latents(path) }
    if has("corpus.json") || has(CorpusManifest.fileName) { return try corpus(path) }
    if has("codec/config.json") || has("codec.safetensors") {
      throw CommandError(
        "\(path): config.json is missing from this package; copy or download it again, the whole folder")
    }
    // A checkpoint of which the last file was never written says so itself.
    if has("model.safetensors") { return checkpoint(try Checkpoint(path: path)) }
    throw CommandError(
      "\(path): nothing that Legato knows: a package has a config.json, a run a recipe.yaml, a checkpoint a "
        + "state.json, latents a \(LatentIndex.fileName), a corpus a \(CorpusManifest.fileName)")
  }

  /// "model", "codec" or "classifier"; anything odd is left to the package's own reader to explain.
  private static func kindOfConfiguration(_ path: String) -> String? {
    guard let data = FileManager.default.contents(atPath: path + "/config.json"),
      let object = try? JSONSerialization.jsonObject(with: data) as? [String: Any]
    else { return nil }
    return object["kind"] as? String
  }
}
