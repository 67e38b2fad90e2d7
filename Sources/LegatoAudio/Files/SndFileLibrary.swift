/// The functions of libsndfile that we call, opened at run time.
struct SndFileLibrary: Sendable {
  /// libsndfile's SF_INFO.
  struct Info {
    var frames: Int64 = 0
    var sampleRate: Int32 = 0
    var channels: Int32 = 0
    var format: Int32 = 0
    var sections: Int32 = 0
    var seekable: Int32 = 0
  }

  typealias Open =
    @convention(c) @Sendable (UnsafePointer<CChar>, Int32, UnsafeMutableRawPointer?) -> OpaquePointer?
  typealias Close = @convention(c) @Sendable (OpaquePointer) -> Int32
  typealias Read = @convention(c) @Sendable (OpaquePointer, UnsafeMutablePointer<Float>?, Int64) -> Int64
  typealias Seek = @convention(c) @Sendable (OpaquePointer, Int64, Int32) -> Int64
  typealias ErrorCode = @convention(c) @Sendable (OpaquePointer?) -> Int32
  typealias ErrorText = @convention(c) @Sendable (OpaquePointer?) -> UnsafePointer<CChar>?

  let open: Open
  let close: Close
  let read: Read
  let seek: Seek
  let errorCode: ErrorCode
  private let errorText: ErrorText

  static let shared = Result { try SndFileLibrary() }

  init(candidates: [String] = DynamicLibrary.candidates(base: "libsndfile", version: 1)) throws {
    let library = try DynamicLibrary(
      name: "libsndfile", candidates: candidates, aptPackage: "libsndfile1", brewPackage: "libsndfile")
    open = try library.function("sf_open", as: Open.self)
    close = try library.function("sf_close", as: Close.self)
    read = try library.function("sf_readf_float", as: Read.self)
    seek = try library.function("sf_seek", as: Seek.self)
    errorCode = try library.function("sf_error", as: ErrorCode.self)
    errorText = try library.function("sf_strerror", as: ErrorText.self)
  }

  /// The last error of a file, or of opening one when `handle` is nil.
  func error(_ handle: OpaquePointer?) -> String {
    var text = errorText(handle).map { String(cString: $0) } ?? "unknown error"
    while let last = text.last, last == "." || last.isWhitespace { text.removeLast() }
    return text
  }
}
