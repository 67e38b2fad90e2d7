import Foundation
import LegatoTensor

@testable import LegatoTraining

/// A folder that goes with its owner.
final class ScratchFolder {
  let path: String

  init() throws {
    path = NSTemporaryDirectory() + "/legato-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  func bytes(_ name: String) throws -> Data { try Data(contentsOf: URL(fileURLWithPath: path + "/" + name)) }
  func write(_ data: Data, _ name: String) throws {
    try data.write(to: URL(fileURLWithPath: path + "/" + name))
  }
  func names() throws -> [String] { try FileManager.default.contentsOfDirectory(atPath: path).sorted() }
}

/// A folder of latents whose value at (piece, frame, dimension) says where it is.
struct LatentFixture {
  let folder: ScratchFolder
  var index: LatentIndex

  static let hash = "0123456789abcdef"
  static let dimension = 3

  static func value(piece: Int, frame: Int, dimension: Int) -> Float {
    Float(piece * 64 + frame) + Float(dimension) * 0.25
  }

  /// Pieces of these lengths, two a shard.
  init(_ pieces: [(frames: Int, split: LatentFolder.Split)]) throws {
    folder = try ScratchFolder()
    index = LatentIndex(
      codecName: "test", codecPath: "/nowhere", codecHash: Self.hash, frameRate: 25,
      dimension: Self.dimension,
      samplesPerFrame: 1920, source: "/recordings", pieces: [],
      skipped: [.init(path: "x.wav", reason: "broken")],
      reconstruction: nil)
    for first in stride(from: 0, to: pieces.count, by: 2) {
      let range = first..<min(first + 2, pieces.count)
      let name = LatentShard.name(first / 2)
      let shard = LatentShard(
        codecHash: Self.hash,
        entries: range.map {
          .init(source: .init(path: "\($0).wav", size: 1, modified: 1), frames: pieces[$0].frames)
        })
      let tensors = range.map { piece in
        SafetensorsWriter.FloatTensor(
          "\(piece).wav", [pieces[piece].frames, Self.dimension],
          (0..<pieces[piece].frames).flatMap { frame in
            (0..<Self.dimension).map { Self.value(piece: piece, frame: frame, dimension: $0) }
          }, as: .float16)
      }
      try SafetensorsWriter.write(tensors, to: folder.path + "/" + name, metadata: shard.metadata())
      for piece in range {
        index.pieces.append(
          LatentPiece(
            id: "piece \(piece)", path: "\(piece).wav", split: pieces[piece].split,
            frames: pieces[piece].frames,
            shard: name, labels: ["instrument": "piano"]))
      }
    }
    try index.write(folder: folder.path)
  }
}
