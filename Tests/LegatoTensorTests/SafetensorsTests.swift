import Foundation
import Testing

@testable import LegatoTensor

/// A folder that disappears with the test.
private final class Scratch {
  let path: String

  init() throws {
    path = NSTemporaryDirectory() + "/legato-safetensors-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  func file(_ bytes: [UInt8], name: String = "t.safetensors") throws -> String {
    let file = path + "/" + name
    try Data(bytes).write(to: URL(fileURLWithPath: file))
    return file
  }

  var contents: [String] { (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? [] }
}

/// A file from a header's text and as many data bytes as asked.
private func bytes(header: String, data: Int, length: UInt64? = nil) -> [UInt8] {
  let text = Array(header.utf8)
  return withUnsafeBytes(of: (length ?? UInt64(text.count)).littleEndian) { Array($0) } + text
    + [UInt8](repeating: 0, count: data)
}

private func failure(_ bytes: [UInt8]) throws -> SafetensorsError? {
  let scratch = try Scratch()
  let path = try scratch.file(bytes)
  do throws(SafetensorsError) {
    _ = try SafetensorsFile(path: path)
    return nil
  } catch {
    #expect(error.file == path)
    #expect(!error.reason.isEmpty && !error.remedy.isEmpty)
    return error
  }
}

@Suite struct SafetensorsReadingTests {
  /// Made by the Python package, safetensors 0.8.0 with numpy 2.4.6: `safetensors.numpy.save({"weight":
  /// arange(6)/4 as f32 [2,3], "half": f16 [1.5, -2, 65504], "ids": i64 [-1, 2**40], "flags": bool [1,0,1],
  /// "scalar": f64 3.25, "empty": f32 [0,4]}, metadata={"made_by": "safetensors (Python)", "note": "é"})`.
  static let fromPython = """
    qAEAAAAAAAB7Il9fbWV0YWRhdGFfXyI6eyJtYWRlX2J5Ijoic2FmZXRlbnNvcnMgKFB5dGhvbikiLCJub3RlIjoiw6kifSwiaWRzIjp7Im\
    R0eXBlIjoiSTY0Iiwic2hhcGUiOlsyXSwiZGF0YV9vZmZzZXRzIjpbMCwxNl19LCJzY2FsYXIiOnsiZHR5cGUiOiJGNjQiLCJzaGFwZSI6\
    W10sImRhdGFfb2Zmc2V0cyI6WzE2LDI0XX0sImVtcHR5Ijp7ImR0eXBlIjoiRjMyIiwic2hhcGUiOlswLDRdLCJkYXRhX29mZnNldHMiOl\
    syNCwyNF19LCJ3ZWlnaHQiOnsiZHR5cGUiOiJGMzIiLCJzaGFwZSI6WzIsM10sImRhdGFfb2Zmc2V0cyI6WzI0LDQ4XX0sImhhbGYiOnsi\
    ZHR5cGUiOiJGMTYiLCJzaGFwZSI6WzNdLCJkYXRhX29mZnNldHMiOls0OCw1NF19LCJmbGFncyI6eyJkdHlwZSI6IkJPT0wiLCJzaGFwZS\
    I6WzNdLCJkYXRhX29mZnNldHMiOls1NCw1N119fSAgICAg//////////8AAAAAAAEAAAAAAAAAAApAAAAAAAAAgD4AAAA/AABAPwAAgD8A\
    AKA/AD4AwP97AQAB
    """

  @Test func readsWhatThePythonPackageWrote() throws {
    let scratch = try Scratch()
    let data = try #require(Data(base64Encoded: Self.fromPython))
    let file = try SafetensorsFile(path: scratch.file(Array(data)))
    #expect(file.metadata == ["made_by": "safetensors (Python)", "note": "é"])
    #expect(Set(file.names) == ["weight", "half", "ids", "flags", "scalar", "empty"])
    #expect(try file.floats("weight", shape: [2, 3]) == [0, 0.25, 0.5, 0.75, 1, 1.25])
    #expect(try file.floats("half") == [1.5, -2, 65504])
    #expect(try file.floats("scalar") == [3.25])
    #expect(try file.entry("scalar").shape == [] && file.entry("scalar").elementCount == 1)
    #expect(try file.floats("empty") == [])
    #expect(try file.withBytes("flags") { Array($0) } == [1, 0, 1])
    let ids = try file.pointer(to: "ids")
    #expect(ids.load(as: Int64.self) == -1 && ids.load(fromByteOffset: 8, as: Int64.self) == 1 << 40)
    #expect(file.contains("ids") && !file.contains("id"))
  }

  @Test func misalignedTensorsAreServedAligned() throws {
    let header = """
      {"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},"b":{"dtype":"F32","shape":[2],"data_offsets":[3,11]}}
      """
    var content = bytes(header: header, data: 3)
    for value in [Float(1.5), -7] {
      content += withUnsafeBytes(of: value.bitPattern.littleEndian) { Array($0) }
    }
    let scratch = try Scratch()
    let file = try SafetensorsFile(path: scratch.file(content))
    #expect(try Int(bitPattern: file.pointer(to: "b")) % 4 == 0)
    #expect(try file.floats("b") == [1.5, -7])
    #expect(try file.withBytes("b") { $0.count } == 8)
  }

  @Test func namesMayBeEscapedAndAnyScript() throws {
    let header = #"{"a\u00e9\n\ud83c\udfb5":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}"#
    let scratch = try Scratch()
    #expect(try SafetensorsFile(path: scratch.file(bytes(header: header, data: 0))).names == ["aé\n🎵"])
  }

  @Test func missingTensorAndWrongTypeAndShape() throws {
    let scratch = try Scratch()
    let data = try #require(Data(base64Encoded: Self.fromPython))
    let file = try SafetensorsFile(path: scratch.file(Array(data)))
    #expect { try file.floats("nope") } throws: { ($0 as? SafetensorsError)?.kind == .missingTensor }
    #expect { try file.floats("ids") } throws: { ($0 as? SafetensorsError)?.kind == .mismatch }
    #expect { try file.floats("weight", shape: [3, 2]) } throws: {
      ($0 as? SafetensorsError)?.kind == .mismatch && "\($0)".contains("\"weight\"")
    }
  }

  @Test func thereMustBeAFile() throws {
    let scratch = try Scratch()
    for path in [scratch.path, scratch.path + "/none.safetensors"] {
      #expect { try SafetensorsFile(path: path) } throws: { ($0 as? SafetensorsError)?.kind == .cannotOpen }
    }
  }

  @Test func truncatedFiles() throws {
    let data = Array(try #require(Data(base64Encoded: Self.fromPython)))
    for count in 0..<data.count {
      let error = try #require(try failure(Array(data[..<count])))
      #expect(error.kind == .truncated, "cut to \(count)")
    }
    #expect(try failure(data + [0])?.kind == .truncated)
  }

  @Test(arguments: [
    // What the header says, bytes of data, a word of the reason.
    (
      #"{"t":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"u":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}}"#,
      6, "overlaps"
    ),
    (
      #"{"t":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"u":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#,
      4, "overlaps"
    ),
    (#"{"t":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#, 8, "gap"),
    (#"{"t":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}"#, 4, "growing"),
    (#"{"t":{"dtype":"F32","shape":[1],"data_offsets":[-4,0]}}"#, 4, "whole number"),
    (#"{"t":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}"#, 4, "whole number"),
    (#"{"t":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}}"#, 4, "whole number"),
    (#"{"t":{"dtype":"F32","shape":[99999999999999999999],"data_offsets":[0,4]}}"#, 4, "whole number"),
    (#"{"t":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}}"#, 0, "addressed"),
    (
      #"{"t":{"dtype":"U8","shape":[9223372036854775807],"data_offsets":[0,9223372036854775807]}}"#, 1,
      "beyond"
    ),
    (#"{"t":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}"#, 4, "needs 8 bytes"),
    (#"{"t":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]}}"#, 1, "unknown dtype"),
    (#"{"t":{"dtype":4,"shape":[1],"data_offsets":[0,1]}}"#, 1, "not a string"),
    (#"{"t":{"dtype":"U8","shape":[1]}}"#, 1, "missing"),
    (#"{"t":{"dtype":"U8","shape":[1],"data_offsets":[0,1,2]}}"#, 1, "pair"),
    (#"{"t":{"dtype":"U8","shape":{},"data_offsets":[0,1]}}"#, 1, "not a list"),
    (#"{"t":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"more":1}}"#, 1, "unknown field"),
    (#"{"t":[]}"#, 0, "not an object"),
    (
      #"{"t":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"t":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}"#,
      2, "twice"
    ),
    (#"{"__metadata__":{"a":1}}"#, 0, "not a string"),
    (#"{"__metadata__":[]}"#, 0, "not an object"),
    (#"[]"#, 0, "not a JSON object"),
    (#"{"t":{}} {}"#, 0, "follows"),
    (#"{"t":{},}"#, 0, "key must be"),
    (#"{"t" {}}"#, 0, "colon"),
    (#"{"t":01}"#, 0, "number"),
    (#"{"t":nul}"#, 0, "word"),
    (#"{"t":"a\x"}"#, 0, "escape"),
    (#"{"\ud800":1}"#, 0, "surrogate"),
    ("{\"a\u{1}\":1}", 0, "control"),
    ("", 0, "ends too early"),
  ])
  func hostileHeaders(header: String, data: Int, reason: String) throws {
    let error = try #require(try failure(bytes(header: header, data: data)))
    #expect(error.kind == .badHeader)
    #expect(error.reason.contains(reason), "\(error)")
  }

  @Test func hostileLengthDepthAndEncoding() throws {
    for length in [UInt64.max, 1 << 63, 100_000_001] {
      #expect(try failure(bytes(header: "{}", data: 64, length: length))?.kind == .badHeader)
    }
    #expect(try failure(bytes(header: "{}", data: 0, length: 99_999_999))?.kind == .truncated)
    let deep = #"{"t":"# + String(repeating: "[", count: 1_000_000)
    #expect(try failure(bytes(header: deep, data: 0))?.reason.contains("deep") == true)
    let latin1 =
      [UInt8](withUnsafeBytes(of: UInt64(8).littleEndian) { Array($0) })
      + Array("{\"".utf8) + [0xE9] + Array("\":{}}".utf8)
    #expect(try failure(latin1)?.reason.contains("UTF-8") == true)
  }

  /// Any byte of the header changed to anything: an error or a sound file, never a crash, and never a tensor
  /// that lies outside the file.
  @Test func corruptedHeaders() throws {
    let sound = Array(try #require(Data(base64Encoded: Self.fromPython)))
    var accepted = 0
    for position in 0..<432 {
      for byte in [0, 0x20, 0xFF] + Array("\"\\09-{}[],:e".utf8) {
        var content = sound
        content[position] = byte
        content.withUnsafeBytes { bytes in
          guard let header = try? SafetensorsHeader(file: "x", bytes: bytes) else { return }
          accepted += 1
          for entry in header.entries {
            #expect(entry.byteRange.lowerBound >= 8 && entry.byteRange.upperBound <= content.count)
            #expect(entry.dtype.byteCount(shape: entry.shape) == entry.byteRange.count)
          }
        }
      }
    }
    #expect(accepted > 0 && accepted < 2000)
  }

  @Test func messagesStayOnOneLine() throws {
    let name = String(repeating: "x", count: 500) + "\\u001b[31m"
    let error = try #require(
      try failure(
        bytes(header: "{\"\(name)\":{\"dtype\":\"\\u001b[2J\",\"shape\":[],\"data_offsets\":[0,0]}}", data: 0)
      ))
    #expect(!error.description.contains("\u{1B}") && error.description.count < 700)
  }
}

@Suite struct SafetensorsWritingTests {
  @Test func roundTripInEveryFloatType() throws {
    let scratch = try Scratch()
    let path = scratch.path + "/w.safetensors"
    let values: [Float] = [0, -0.0, 1, -2.5, 0.1, 65504, 1e-7, .infinity, -.infinity]
    try SafetensorsWriter.write(
      [
        .init("h", [9], values, as: .float16), .init("d", [3, 3], values, as: .float64),
        .init("b", [9], values, as: .bfloat16), .init("f", [9, 1], values), .init("nothing", [0], []),
      ], to: path, metadata: ["format": "legato", "quote": "a\"b\\\n\u{2}"])
    let file = try SafetensorsFile(path: path)
    #expect(file.names == ["d", "f", "nothing", "b", "h"])
    #expect(try file.floats("f").map(\.bitPattern) == values.map(\.bitPattern))
    #expect(try file.floats("d").map(\.bitPattern) == values.map(\.bitPattern))
    #expect(try file.floats("h")[3] == -2.5 && file.floats("h")[5] == 65504)
    #expect(try file.floats("b")[7] == .infinity && file.floats("b")[4] == 0.10009765625)
    #expect(file.metadata == ["format": "legato", "quote": "a\"b\\\n\u{2}"])
    #expect(file.entries.map(\.byteRange.lowerBound).min().map { $0 % 64 } == 0)
    for name in file.names {
      let size = try file.entry(name).dtype.byteCount
      #expect(try Int(bitPattern: file.pointer(to: name)) % size == 0)
    }
    #expect(scratch.contents == ["w.safetensors"])
  }

  @Test func streamsInAnyOrderAndEqualContentGivesEqualBytes() throws {
    let scratch = try Scratch()
    let one = scratch.path + "/1"
    let two = scratch.path + "/2"
    let writer = try SafetensorsWriter(
      path: one, tensors: [.init("a", .int8, [3]), .init("b", .float32, [4])])
    try writer.append([1, 2], to: "b")
    try [UInt8]([1, 2, 255]).withUnsafeBytes { try writer.append($0, to: "a") }
    try writer.append([3, 4], to: "b")
    #expect(!FileManager.default.fileExists(atPath: one))
    try writer.finish()
    let other = try SafetensorsWriter(
      path: two, tensors: [.init("b", .float32, [4]), .init("a", .int8, [3])])
    try other.append([1, 2, 3, 4], to: "b")
    try [UInt8]([1, 2, 255]).withUnsafeBytes { try other.append($0, to: "a") }
    try other.finish()
    #expect(FileManager.default.contents(atPath: one) == FileManager.default.contents(atPath: two))
    #expect(try SafetensorsFile(path: one).floats("b") == [1, 2, 3, 4])
  }

  @Test func anUnfinishedFileLeavesNothing() throws {
    let scratch = try Scratch()
    do {
      let writer = try SafetensorsWriter(path: scratch.path + "/x", tensors: [.init("a", .float32, [4])])
      try writer.append([1, 2], to: "a")
      #expect { try writer.finish() } throws: { ($0 as? SafetensorsError)?.kind == .incomplete }
    }
    #expect(scratch.contents.isEmpty)
  }

  @Test func replacingAFileKeepsOpenReadersAlive() throws {
    let scratch = try Scratch()
    let path = scratch.path + "/x"
    try SafetensorsWriter.write([.init("a", [2], [1, 2])], to: path)
    let old = try SafetensorsFile(path: path)
    try SafetensorsWriter.write([.init("a", [2], [3, 4])], to: path)
    #expect(try old.floats("a") == [1, 2])
    #expect(try SafetensorsFile(path: path).floats("a") == [3, 4])
  }

  /// A limit on file sizes stands in for a full disk: the write fails in the middle.
  @Test func aWriteThatFailsInTheMiddleLeavesNothing() async {
    await #expect(processExitsWith: .success) {
      let scratch = try Scratch()
      let path = scratch.path + "/x"
      try SafetensorsWriter.write([.init("a", [2], [1, 2])], to: path)
      signal(SIGXFSZ, SIG_IGN)
      var limit = rlimit(rlim_cur: 4096, rlim_max: 4096)
      // The constant is an enumeration on Linux and an integer on Apple systems.
      #if canImport(Darwin)
        setrlimit(RLIMIT_FSIZE, &limit)
      #else
        setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
      #endif
      let error = #expect(throws: SafetensorsError.self) {
        try SafetensorsWriter.write([.init("a", [10_000], [Float](repeating: 1, count: 10_000))], to: path)
      }
      #expect(error?.kind == .cannotWrite && error?.description.contains("ulimit") == true)
      #expect(scratch.contents == ["x"])
      #expect(try SafetensorsFile(path: path).floats("a") == [1, 2])
    }
  }

  @Test func foldersThatAreNotThereAndFullDisks() throws {
    let scratch = try Scratch()
    #expect {
      try SafetensorsWriter.write([.init("a", [1], [1])], to: scratch.path + "/none/x")
    } throws: { ($0 as? SafetensorsError)?.kind == .cannotWrite }
    try Data([1]).write(to: URL(fileURLWithPath: scratch.path + "/plain"))
    #expect {
      try SafetensorsWriter.write([.init("a", [1], [1])], to: scratch.path + "/plain/x")
    } throws: { "\($0)".contains("not a folder") }
    // A folder in the way of the final name: the temporary file goes too.
    try FileManager.default.createDirectory(
      atPath: scratch.path + "/taken/inside", withIntermediateDirectories: true)
    #expect {
      try SafetensorsWriter.write([.init("a", [1], [1])], to: scratch.path + "/taken")
    } throws: { ($0 as? SafetensorsError)?.kind == .cannotWrite }
    #expect(Set(scratch.contents) == ["plain", "taken"])
    let full = SystemCallError("write", path: "/x", code: ENOSPC)
    #expect(SafetensorsError.write(full).description.contains("Free some disk space"))
    let taken = SystemCallError("create the folder", path: "/x", code: EEXIST)
    #expect(
      taken.description
        == "/x: cannot create the folder: a file of this name is there. Move it away, or choose another path."
    )
  }
}

@Suite struct SafetensorsFloatBitsTests {
  @Test func everyHalfSurvivesTheRoundTrip() {
    for bits in UInt16.min...UInt16.max {
      let value = FloatBits.float(float16: bits)
      if value.isNaN {
        #expect(FloatBits.float(float16: FloatBits.float16(value)).isNaN)
      } else {
        #expect(FloatBits.float16(value) == bits)
      }
      let wide = FloatBits.float(bfloat16: bits)
      #expect(
        wide.isNaN
          ? FloatBits.float(bfloat16: FloatBits.bfloat16(wide)).isNaN : FloatBits.bfloat16(wide) == bits)
    }
  }

  /// Between two neighbours the midpoint goes to the even one, and a hair beside it to the nearer.
  @Test func roundsToNearestEven() {
    for bits in UInt16(0)..<0x7BFF {
      let low = FloatBits.float(float16: bits)
      let high = FloatBits.float(float16: bits + 1)
      let middle = (low + high) / 2
      let even = bits % 2 == 0 ? bits : bits + 1
      #expect(FloatBits.float16(middle) == even)
      #expect(FloatBits.float16(middle.nextDown) == bits && FloatBits.float16(middle.nextUp) == bits + 1)
      #expect(FloatBits.float16(-middle) == even | 0x8000)
    }
    #expect(FloatBits.float16(65519.996) == 0x7BFF && FloatBits.float16(65520) == 0x7C00)
    #expect(FloatBits.bfloat16(Float(bitPattern: 0x3F80_8000)) == 0x3F80)
    #expect(FloatBits.bfloat16(Float(bitPattern: 0x3F81_8000)) == 0x3F82)
    #expect(FloatBits.bfloat16(Float(bitPattern: 0x3F80_8001)) == 0x3F81)
    #expect(FloatBits.bfloat16(.greatestFiniteMagnitude) == 0x7F80)
    #expect(FloatBits.bfloat16(Float(bitPattern: 0x7F80_0001)) == 0x7FC0)
  }
}
