import LegatoTensor

/// A stretch of latents out of a piece.
public struct LatentCrop: Sendable, Equatable {
  public var piece: LatentPiece
  /// First latent of the piece that is in it.
  public var start: Int
  public var count: Int
  /// `[count, dimension]`.
  public var values: [Float]
}

extension LatentDataset {
  /// Draw number `index` of a random crop: every place in every piece of the split that is long enough is equally
  /// likely. A function of its arguments alone.
  ///
  /// - Parameters:
  ///   - frames: latents in the crop.
  ///   - fromStart: the crop is the beginning of the piece that was drawn.
  /// - Throws: ``LatentError/Kind/tooShort`` where no piece is long enough: it names lengths and what to change.
  public func draw(
    split: LatentFolder.Split, frames: Int, random: RandomStream, index: Int, fromStart: Bool = false
  ) throws -> LatentCrop {
    let table = try table(split, frames: frames)
    let position = random.integer(below: table.total, at: UInt64(index))
    return try crop(table, at: fromStart ? table.start(of: position) : position)
  }

  /// The latents `[frames, dimension]` of ``draw(split:frames:random:index:fromStart:)``.
  public func sample(
    split: LatentFolder.Split, frames: Int, random: RandomStream, index: Int, fromStart: Bool = false
  ) throws -> [Float] {
    try draw(split: split, frames: frames, random: random, index: index, fromStart: fromStart).values
  }

  /// Like ``sample(split:frames:random:index:fromStart:)``, from any place on: where a piece ends, the beginning of
  /// another follows, so pieces may be shorter than the crop.
  ///
  /// A stream that never ends comes to ends of pieces. A model that has seen nothing after them stays in their silence.
  /// - Throws: ``LatentError/Kind/tooShort`` where all pieces together are shorter than the crop.
  public func sampleJoining(
    split: LatentFolder.Split, frames: Int, random: RandomStream, index: Int, fromStart: Bool = false
  ) throws -> [Float] {
    guard canJoin(split, frames: frames) else {
      return try sample(split: split, frames: frames, random: random, index: index, fromStart: fromStart)
    }
    let table = try table(split, frames: 1)
    var (piece, start) = table.place(random.integer(below: table.total, at: UInt64(index)))
    if fromStart { start = 0 }
    let others = RandomStream(
      seed: random.seed ^ 0x6a6f_696e, stream: random.stream &+ UInt64(index) &* 0x9e37_79b9_7f4a_7c15)
    var values: [Float] = []
    values.reserveCapacity(frames * dimension)
    var joins: UInt64 = 0
    while true {
      let rest = frames - values.count / dimension
      values += try crop(piece: piece, start: start, count: min(rest, piece.frames - start))
      if values.count == frames * dimension { return values }
      piece = table.pieces[others.integer(below: table.pieces.count, at: joins)]
      start = 0
      joins += 1
    }
  }

  /// Whether all pieces of a split together hold a crop.
  public func canJoin(_ split: LatentFolder.Split, frames: Int) -> Bool {
    ((try? table(split, frames: 1).total) ?? 0) >= frames
  }

  /// `count` crops spread evenly over the split, always the same: for held-out losses.
  public func spread(split: LatentFolder.Split, frames: Int, count: Int) throws -> [LatentCrop] {
    let table = try table(split, frames: frames)
    let kept = min(count, table.total)
    return try (0..<kept).map { index in
      let (whole, rest) = table.total.quotientAndRemainder(dividingBy: kept)
      return try crop(table, at: index * whole + index * rest / kept + whole / 2)
    }
  }

  /// Number of different crops, and of pieces too short for one.
  public func cropCount(split: LatentFolder.Split, frames: Int) throws -> (crops: Int, piecesLeftOut: Int) {
    let table = try table(split, frames: frames)
    return (table.total, table.leftOut)
  }

  private func crop(_ table: CropTable, at position: Int) throws -> LatentCrop {
    let (piece, start) = table.place(position)
    let values = try crop(piece: piece, start: start, count: table.key.frames)
    return LatentCrop(piece: piece, start: start, count: table.key.frames, values: values)
  }
}

/// Every place that a crop of one length can start at, numbered through.
struct CropTable: Sendable {
  struct Key: Hashable {
    var split: LatentFolder.Split
    var frames: Int
  }

  let key: Key
  let pieces: [LatentPiece]
  /// Crops in the pieces before each.
  private let before: [Int]
  let total: Int
  /// Pieces that are too short.
  let leftOut: Int

  init(_ key: Key, of dataset: LatentDataset) throws {
    precondition(key.frames > 0, "a crop of \(key.frames) latents")
    let all = dataset.pieces(key.split)
    self.key = key
    pieces = all.filter { $0.frames >= key.frames }
    leftOut = all.count - pieces.count
    var (sums, sum) = ([Int](), 0)
    for piece in pieces {
      sums.append(sum)
      sum += piece.frames - key.frames + 1
    }
    before = sums
    total = sum
    guard total > 0 else { throw Self.tooShort(key, all, dataset) }
  }

  private static func tooShort(_ key: Key, _ all: [LatentPiece], _ dataset: LatentDataset) -> LatentError {
    func seconds(_ frames: Int) -> String {
      "\((Double(frames) / dataset.frameRate * 10).rounded() / 10) s"
    }
    guard let longest = all.map(\.frames).max() else {
      return LatentError(
        .tooShort, dataset.path, "the split '\(key.split.rawValue)' holds no piece",
        "Prepare more recordings, or change the splits in the manifest.")
    }
    return LatentError(
      .tooShort, dataset.path,
      "a crop needs \(key.frames) latents (\(seconds(key.frames))) and the longest of the \(all.count) pieces in "
        + "'\(key.split.rawValue)' has \(longest) (\(seconds(longest)))",
      "Prepare longer recordings; or, for a model that starts from nothing, set data.crop_frames to at most \(longest) and model.window to a third of that."
    )
  }

  /// Number of the first crop of the piece that crop number `position` is in.
  func start(of position: Int) -> Int { position - place(position).1 }

  /// The piece and start of crop number `position`.
  func place(_ position: Int) -> (LatentPiece, Int) {
    precondition(position >= 0 && position < total, "crop \(position) of \(total)")
    var (low, high) = (0, before.count)
    while high - low > 1 {
      let middle = (low + high) / 2
      if before[middle] <= position { low = middle } else { high = middle }
    }
    return (pieces[low], position - before[low])
  }
}
