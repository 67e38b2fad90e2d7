import Foundation
import Testing

@testable import LegatoAudio

/// A folder of its own for each test, removed afterwards.
func withFolder<Result>(_ body: (String) throws -> Result) throws -> Result {
  let folder = FileManager.default.temporaryDirectory.appendingPathComponent("legato-\(UUID().uuidString)")
  try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(at: folder) }
  return try body(folder.path)
}

func contents(of folder: String) throws -> [String] {
  try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
}

func sine(_ frequency: Double, rate: Int, seconds: Double, level: Double = 0.5, channels: Int = 1)
  -> AudioBuffer
{
  let samples = (0..<Int(seconds * Double(rate))).map {
    Float(level * sin(2 * .pi * frequency * Double($0) / Double(rate)))
  }
  return AudioBuffer(sampleRate: rate, channels: Array(repeating: samples, count: channels))
}

/// Repeatable noise in ±level.
func noise(_ frames: Int, channels: Int = 1, rate: Int = 48000, level: Float = 0.9, seed: UInt64 = 1)
  -> AudioBuffer
{
  var state = seed
  let planes = (0..<channels).map { _ in
    (0..<frames).map { _ -> Float in
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return (Float(state >> 40) / Float(1 << 23) - 1) * level
    }
  }
  return AudioBuffer(sampleRate: rate, channels: planes)
}

func largestDifference(_ a: [[Float]], _ b: [[Float]]) -> Float {
  zip(a, b).map { zip($0, $1).map { abs($0 - $1) }.max() ?? 0 }.max() ?? 0
}

/// Cuts planar samples into chunks of the given sizes, over and over.
func chunks(_ channels: [[Float]], sizes: [Int]) -> [[[Float]]] {
  var result: [[[Float]]] = []
  var position = 0
  var turn = 0
  while position < channels[0].count {
    let end = min(channels[0].count, position + sizes[turn % sizes.count])
    result.append(channels.map { Array($0[position..<end]) })
    position = end
    turn += 1
  }
  return result
}

func joined(_ chunks: [[[Float]]]) -> [[Float]] {
  guard let first = chunks.first else { return [] }
  return first.indices.map { channel in chunks.flatMap { $0[channel] } }
}

/// Runs a program and returns its exit status and standard output.
@discardableResult
func run(_ program: String, _ arguments: [String]) throws -> (status: Int32, output: Data) {
  let process = Process()
  process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
  process.arguments = [program] + arguments
  let pipe = Pipe()
  process.standardOutput = pipe
  process.standardError = FileHandle.nullDevice
  try process.run()
  let output = pipe.fileHandleForReading.readDataToEndOfFile()
  process.waitUntilExit()
  return (process.terminationStatus, output)
}
