import LegatoTensor

/// A folder of prepared latents.
public enum LatentFolder {
  /// What a piece is for.
  public typealias Split = RecordingList.Split

  /// Opens a folder: reads the index, maps the shards and checks that they hold what the index says.
  ///
  /// - Parameter codecHash: of the codec that the reader works with; nil accepts any.
  /// - Throws: ``LatentError``: missing, newer, damaged, or made with another codec.
  public static func open(_ path: String, codecHash: String? = nil) throws -> LatentDataset {
    let index = try LatentIndex(folder: path)
    if let codecHash { try index.check(codecHash: codecHash, folder: path) }
    var files: [String: SafetensorsFile] = [:]
    for piece in index.pieces {
      let file: SafetensorsFile
      if let known = files[piece.shard] {
        file = known
      } else {
        file = try openShard(path + "/" + piece.shard, codecHash: index.codecHash)
        files[piece.shard] = file
      }
      guard let entry = try? file.entry(piece.path), entry.dtype == .float16,
        entry.shape == [piece.frames, index.dimension]
      else {
        throw LatentError(
          .damaged, file.path,
          "it does not hold \(piece.frames) latents of '\(piece.path)' as the index says",
          LatentError.prepareAgain)
      }
    }
    return LatentDataset(path: path, index: index, files: files)
  }

  private static func openShard(_ path: String, codecHash: String) throws -> SafetensorsFile {
    let file: SafetensorsFile
    do throws(SafetensorsError) {
      file = try SafetensorsFile(path: path)
    } catch {
      let kind: LatentError.Kind = error.kind == .cannotOpen ? .missing : .damaged
      throw LatentError(kind, path, error.reason, LatentError.prepareAgain)
    }
    guard file.metadata[LatentShard.hashKey] == codecHash else {
      throw LatentError(
        .otherCodec, path, "the shard was made with another codec than the index says",
        LatentError.prepareAgain)
    }
    return file
  }
}

extension LatentIndex {
  /// - Throws: ``LatentError/Kind/otherCodec`` where the latents were made with another codec.
  public func check(codecHash hash: String, folder: String) throws {
    guard hash != codecHash else { return }
    throw LatentError(
      .otherCodec, folder,
      "the latents were made with the codec \(codecHash) ('\(codecName)'), not with \(hash)",
      "Prepare the recordings again with this codec, or use the codec at \(codecPath).")
  }
}
