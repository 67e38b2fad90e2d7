import LegatoTensor
import Synchronization

/// Prepared latents, read from their mapped shards. Any thread may read.
public final class LatentDataset: Sendable {
  public let path: String
  public let index: LatentIndex
  private let files: [String: SafetensorsFile]
  private let tables: Mutex<[CropTable.Key: CropTable]>

  init(path: String, index: LatentIndex, files: [String: SafetensorsFile]) {
    self.path = path
    self.index = index
    self.files = files
    tables = Mutex([:])
  }

  /// Opens a folder that `legato prepare` wrote: ``LatentFolder/open(_:codecHash:)``.
  public convenience init(path: String, codecHash: String? = nil) throws {
    let opened = try LatentFolder.open(path, codecHash: codecHash)
    self.init(path: path, index: opened.index, files: opened.files)
  }

  public var dimension: Int { index.dimension }
  public var frameRate: Double { index.frameRate }
  /// Where the codec lay when the latents were made.
  public var codecPath: String { index.codecPath }
  public var codecHash: String { index.codecHash }
  /// Pieces and hours, for people.
  public var summary: String {
    let hours = Double(index.frames(of: .train)) / frameRate / 3600
    return "\(pieces(.train).count) pieces, \((hours * 100).rounded() / 100) hours to train on; "
      + "\(pieces(.validation).count) pieces to validate"
  }

  /// The pieces of a split in the order of the index.
  public func pieces(_ split: LatentFolder.Split) -> [LatentPiece] {
    index.pieces.filter { $0.split == split }
  }

  /// The same folder with the pieces that a condition holds for.
  public func filtered(_ isIncluded: (LatentPiece) -> Bool) -> LatentDataset {
    var index = index
    index.pieces = index.pieces.filter(isIncluded)
    return LatentDataset(path: path, index: index, files: files)
  }

  /// Latents `[count, dimension]` of a piece of this dataset, which must hold them.
  public func crop(piece: LatentPiece, start: Int, count: Int) throws -> [Float] {
    precondition(
      start >= 0 && count >= 0 && start + count <= piece.frames,
      "LatentDataset.crop: \(count) latents from \(start) of '\(piece.id)', which has \(piece.frames)")
    guard let file = files[piece.shard] else {
      preconditionFailure("LatentDataset.crop: '\(piece.id)' belongs to another dataset")
    }
    let total = count * dimension
    let offset = start * dimension
    return try file.withBytes(piece.path) { bytes in
      [Float](unsafeUninitializedCapacity: total) { buffer, filled in
        for i in 0..<total {
          let bits = bytes.loadUnaligned(fromByteOffset: 2 * (offset + i), as: UInt16.self)
          buffer[i] = FloatBits.float(float16: UInt16(littleEndian: bits))
        }
        filled = total
      }
    }
  }

  /// A whole piece, `[frames, dimension]`.
  public func latents(of piece: LatentPiece) throws -> [Float] {
    try crop(piece: piece, start: 0, count: piece.frames)
  }

  /// The crops of a length that a split offers; made once, then kept.
  ///
  /// - Throws: ``LatentError/Kind/tooShort`` where no piece is long enough.
  func table(_ split: LatentFolder.Split, frames: Int) throws -> CropTable {
    let key = CropTable.Key(split: split, frames: frames)
    if let known = tables.withLock({ $0[key] }) { return known }
    let table = try CropTable(key, of: self)
    tables.withLock { $0[key] = table }
    return table
  }
}
