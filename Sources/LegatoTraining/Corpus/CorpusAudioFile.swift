import Foundation

/// Writes `(path, sampleRate, left, right)`; the one line that decides how a corpus is stored.
let writeCorpusAudio: @Sendable (String, Int, [Float], [Float]) throws -> Void = writeWAV16

/// A 16-bit stereo WAV file.
private func writeWAV16(path: String, sampleRate: Int, left: [Float], right: [Float]) throws {
  let bytes = left.count * 4
  var data = Data(capacity: 44 + bytes)
  func put<T: FixedWidthInteger>(_ value: T) {
    withUnsafeBytes(of: value.littleEndian) { data.append(contentsOf: $0) }
  }
  data.append(contentsOf: "RIFF".utf8)
  put(UInt32(36 + bytes))
  data.append(contentsOf: "WAVEfmt ".utf8)
  put(UInt32(16))
  put(UInt16(1))
  put(UInt16(2))
  put(UInt32(sampleRate))
  put(UInt32(sampleRate * 4))
  put(UInt16(4))
  put(UInt16(16))
  data.append(contentsOf: "data".utf8)
  put(UInt32(bytes))
  var samples = [Int16](repeating: 0, count: left.count * 2)
  for i in left.indices {
    samples[2 * i] = Int16((max(-1, min(1, left[i])) * 32_767).rounded()).littleEndian
    samples[2 * i + 1] = Int16((max(-1, min(1, right[i])) * 32_767).rounded()).littleEndian
  }
  samples.withUnsafeBytes { data.append(contentsOf: $0) }
  try data.write(to: URL(fileURLWithPath: path))
}
