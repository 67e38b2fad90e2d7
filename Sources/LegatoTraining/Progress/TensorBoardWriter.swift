import Foundation
import LegatoTensor
import Synchronization

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Writes a TensorBoard events file: TFRecord frames around `Event` messages (tensorflow/core/util/event.proto,
/// tensorflow/core/framework/summary.proto). Any thread may call it.
public final class TensorBoardWriter: Sendable {
  public let path: String
  private let file: Mutex<FileHandle>
  private let now: @Sendable () -> Double

  /// Starts a new events file in `folder`; each start of a run has its own.
  ///
  /// - Parameter step: where a resumed run goes on; TensorBoard then hides what earlier files say of later steps.
  /// - Throws: `RunError` where the folder cannot be written.
  public convenience init(folder: String, resumingAfter step: Int? = nil) throws {
    try self.init(folder: folder, resumingAfter: step) { Date().timeIntervalSince1970 }
  }

  init(folder: String, resumingAfter step: Int?, now: @escaping @Sendable () -> Double) throws {
    self.now = now
    // Not `ProcessInfo.hostName`, which may ask the network.
    var names = utsname()
    uname(&names)
    let node = withUnsafeBytes(of: names.nodename) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    let host = node.filter {
      $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-")
    }
    let seconds = String(format: "%010d", Int(now()))
    // Two starts within a second must not share a file.
    var attempt = 0
    var descriptor: Int32
    var candidate: String
    repeat {
      candidate = "\(folder)/events.out.tfevents.\(seconds).\(host).\(getpid()).\(attempt)"
      descriptor = open(candidate, O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
      attempt += 1
    } while descriptor < 0 && errno == EEXIST && attempt < 1000
    guard descriptor >= 0 else {
      throw RunError(SystemCallError("create the TensorBoard events", path: candidate, code: errno))
    }
    path = candidate
    file = Mutex(FileHandle(fileDescriptor: descriptor, closeOnDealloc: true))
    try write { $0.add(3, string: "brain.Event:2") }
    if let step {
      try write { event in
        event.add(2, integer: step + 1)
        var session = ProtobufMessage()
        session.add(1, integer: 1)  // SessionLog.START
        event.add(7, message: session)
      }
    }
  }

  /// A curve's next point. `tag` groups by its part before the slash: `loss/train`.
  public func scalar(_ tag: String, _ value: Double, step: Int) throws {
    try summary(tag, step: step) { $0.add(2, float: Float(value)) }
  }

  /// A picture.
  ///
  /// - Throws: `RunError` where `png` is no PNG, or the file cannot be written.
  public func image(_ tag: String, png: [UInt8], step: Int) throws {
    let signature: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]
    guard png.count >= 33, png.starts(with: signature) else {
      throw RunError(path, "the picture for \(tag) is not a PNG", "Report this as a bug.")
    }
    func dimension(at offset: Int) -> Int { png[offset..<offset + 4].reduce(0) { $0 << 8 | Int($1) } }
    // PNG colour type → the number of channels that TensorBoard calls colour space.
    let channels = [0: 1, 2: 3, 3: 3, 4: 2, 6: 4][Int(png[25])] ?? 3
    var image = ProtobufMessage()
    image.add(1, integer: dimension(at: 20))
    image.add(2, integer: dimension(at: 16))
    image.add(3, integer: channels)
    image.add(4, bytes: png)
    try summary(tag, step: step) { $0.add(4, message: image) }
  }

  /// A sound, as the bytes of a WAV file.
  public func audio(
    _ tag: String, wav: [UInt8], sampleRate: Int, channels: Int, frames: Int, step: Int
  ) throws {
    var audio = ProtobufMessage()
    audio.add(1, float: Float(sampleRate))
    audio.add(2, integer: channels)
    audio.add(3, integer: frames)
    audio.add(4, bytes: wav)
    audio.add(5, string: "audio/wav")
    try summary(tag, step: step) { $0.add(6, message: audio) }
  }

  private func summary(_ tag: String, step: Int, _ fill: (inout ProtobufMessage) -> Void) throws {
    var value = ProtobufMessage()
    value.add(1, string: tag)
    fill(&value)
    var summary = ProtobufMessage()
    summary.add(1, message: value)
    try write { event in
      event.add(2, integer: step)
      event.add(5, message: summary)
    }
  }

  private func write(_ fill: (inout ProtobufMessage) -> Void) throws {
    var event = ProtobufMessage()
    event.add(1, double: now())
    fill(&event)
    let record = Data(Self.frame(event.bytes))
    let result = file.withLock { file in Result { try file.write(contentsOf: record) } }
    if case .failure(let error) = result {
      throw RunError(SystemCallError("write", path: path, error))
    }
  }

  /// A TFRecord: length, its masked checksum, the content, its masked checksum.
  static func frame(_ content: [UInt8]) -> [UInt8] {
    let length = withUnsafeBytes(of: UInt64(content.count).littleEndian) { Array($0) }
    func checksum(_ bytes: [UInt8]) -> [UInt8] {
      withUnsafeBytes(of: CRC32C.masked(bytes).littleEndian) { Array($0) }
    }
    return length + checksum(length) + content + checksum(content)
  }
}
