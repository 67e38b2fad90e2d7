import Foundation
import LegatoAudio

/// The mono mix of what a picture shows: at most ten minutes, so that a day of sound needs no day of memory.
struct PictureSketch {
  private static let seconds = 600
  private let sampleRate: Int
  private var samples: [Float] = []

  init(sampleRate: Int) { self.sampleRate = sampleRate }

  mutating func append(_ chunk: [[Float]]) {
    let length = min(chunk[0].count, Self.seconds * sampleRate - samples.count)
    guard length > 0 else { return }
    let share = 1 / Float(chunk.count)
    for frame in 0..<length { samples.append(chunk.reduce(0) { $0 + share * $1[frame] }) }
  }

  func write(title: String, to path: String) throws {
    try AudioPicture().write(AudioBuffer(sampleRate: sampleRate, channels: [samples]), title: title, to: path)
  }

  /// Draws a sound file.
  static func draw(file: String, to path: String) throws {
    let reader = try AudioFileReader(path: file)
    var sketch = PictureSketch(sampleRate: reader.info.sampleRate)
    while !sketch.isFull, let block = try reader.read() { sketch.append(block.channels) }
    try sketch.write(title: (file as NSString).lastPathComponent, to: path)
  }

  /// Why a picture could not be drawn, to be told after what was made in spite of it.
  static func failure(of draw: () throws -> Void) -> (any Error)? {
    do {
      try draw()
      return nil
    } catch {
      return error
    }
  }

  private var isFull: Bool { samples.count >= Self.seconds * sampleRate }
}
