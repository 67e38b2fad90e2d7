import Foundation
import LegatoAudio
import LegatoTensor

/// Recordings from which codec training cuts its crops.
///
/// Files at the codec's rate and channel count in a format with ranged reads are read in place; others are converted
/// once into a cache folder.
public struct AudioClips: Sendable {
  public struct Source: Sendable, Hashable {
    public var path: String
    public var frames: Int
  }

  public private(set) var train: [Source]
  public private(set) var validation: [Source]
  /// Whether ``validation`` are recordings that are not trained on.
  public let isHeldOut: Bool
  /// Files that could not be used, with reasons.
  public private(set) var skipped: [(path: String, reason: String)] = []
  /// What was left out because it is there twice.
  public let noteOfCopies: String?
  public let sampleRate: Int
  public let channels: Int

  /// - Parameter source: a folder of recordings or a JSONL manifest with `path` and perhaps `split` in each row.
  public init(source: String, sampleRate: Int, channels: Int, cropFrames: Int, cache: String) throws {
    self.sampleRate = sampleRate
    self.channels = channels
    train = []
    validation = []
    let listing = try RecordingList(source: source)
    noteOfCopies = listing.noteOfCopies
    for item in listing.items {
      do {
        let usable = try Self.native(item.path, rate: sampleRate, channels: channels, cache: cache)
        guard usable.frames >= cropFrames else {
          skipped.append((item.path, "shorter than a crop"))
          continue
        }
        switch item.split {
        case .train: train.append(usable)
        case .validation: validation.append(usable)
        case .test: break
        }
      } catch let error as AudioError where error.isOfTheMachine {
        throw error
      } catch {
        skipped.append((item.path, "\(error)"))
      }
    }
    guard !train.isEmpty else {
      let reasons = skipped.prefix(3).map { "\($0.path): \($0.reason)" }.joined(separator: "; ")
      throw TrainingError(
        "\(source): none of \(listing.items.count) recordings can be used for training (\(reasons))",
        "Give recordings of at least \(Double(cropFrames) / Double(sampleRate)) seconds.")
    }
    // One recording alone is still worth training on: its own crops then stand in for held-out ones.
    isHeldOut = !validation.isEmpty
    if validation.isEmpty { validation = [train[train.count - 1]] }
  }

  private static func native(_ path: String, rate: Int, channels: Int, cache: String) throws -> Source {
    let info = try AudioFile.info(path)
    if info.sampleRate == rate, info.channels == channels, let frames = info.frames, info.framesAreExact {
      return Source(path: path, frames: frames)
    }
    let attributes = try FileManager.default.attributesOfItem(atPath: path)
    let version =
      "\(attributes[.size] ?? 0) \((attributes[.modificationDate] as? Date)?.timeIntervalSince1970 ?? 0)"
    let stem = RandomStream(seed: 0, name: "\(path) \(rate) \(channels) \(version)").stream
    let converted = "\(cache)/\(String(stem, radix: 36)).wav"
    if let known = try? AudioFile.info(converted), let frames = known.frames {
      return Source(path: converted, frames: frames)
    }
    try RunFolder.createFolder(cache)
    let reader = try AudioFileReader(path: path)
    let writer = try WAVWriter(converted, sampleRate: rate, channels: channels, format: .pcm16)
    let resampler =
      info.sampleRate == rate ? nil : try Resampler(from: info.sampleRate, to: rate, channels: channels)
    do {
      while let block = try reader.read() {
        let shaped = block.converted(toChannels: channels).channels
        try writer.append(try resampler?.process(shaped) ?? shaped)
      }
      if let rest = try resampler?.finish() { try writer.append(rest) }
      let frames = writer.framesWritten
      try writer.finish()
      return Source(path: converted, frames: frames)
    } catch {
      writer.cancel()
      throw error
    }
  }

  /// A batch of crops `[count, channels, cropFrames]`, a function of `random` alone.
  public func batch(validation useValidation: Bool, count: Int, cropFrames: Int, random: RandomStream) throws
    -> [Float]
  {
    let sources = useValidation ? validation : train
    var starts: [Int] = [0]
    for source in sources { starts.append(starts[starts.count - 1] + source.frames - cropFrames + 1) }
    var batch: [Float] = []
    batch.reserveCapacity(count * channels * cropFrames)
    for item in 0..<count {
      let draw = random.integer(below: starts[starts.count - 1], at: UInt64(item))
      var index = 0
      while starts[index + 1] <= draw { index += 1 }
      let first = draw - starts[index]
      let crop = try AudioFile.read(sources[index].path, frames: first..<first + cropFrames)
      for channel in crop.channels { batch += channel }
    }
    return batch
  }

  /// Hours of training audio.
  public var hours: Double { Double(train.reduce(0) { $0 + $1.frames }) / Double(sampleRate) / 3600 }
}

extension AudioError {
  /// Whether the machine lacks something, so that skipping the file would hide it.
  fileprivate var isOfTheMachine: Bool {
    switch self {
    case .libraryMissing, .cannotWrite, .diskFull: true
    default: false
    }
  }
}
