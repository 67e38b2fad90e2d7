/// The functions of libsoxr that we call, opened at run time.
struct SoxrLibrary: Sendable {
  /// libsoxr's soxr_io_spec_t: interleaved 32-bit floats in and out.
  struct IOSpec {
    var inputType: Int32 = 0
    var outputType: Int32 = 0
    var scale: Double = 1
    var reserved: UnsafeRawPointer?
    var flags: UInt = 0
  }

  /// libsoxr's soxr_quality_spec_t with the values of its recipe "VHQ": 28 bits, linear phase.
  struct QualitySpec {
    var precision: Double = 28
    var phaseResponse: Double = 50
    var passbandEnd: Double = 0.913
    var stopbandBegin: Double = 1
    var reserved: UnsafeRawPointer?
    var flags: UInt = 0
  }

  // The C functions return a string on error and nil on success.
  typealias Create =
    @convention(c) @Sendable (
      Double, Double, UInt32, UnsafeMutablePointer<UnsafePointer<CChar>?>?, UnsafeRawPointer?,
      UnsafeRawPointer?, UnsafeRawPointer?
    ) -> OpaquePointer?
  typealias Process =
    @convention(c) @Sendable (
      OpaquePointer, UnsafePointer<Float>?, Int, UnsafeMutablePointer<Int>?, UnsafeMutablePointer<Float>?,
      Int, UnsafeMutablePointer<Int>?
    ) -> UnsafePointer<CChar>?
  typealias Delete = @convention(c) @Sendable (OpaquePointer) -> Void

  let create: Create
  let process: Process
  let delete: Delete

  static let shared = Result { try SoxrLibrary() }

  init(candidates: [String] = DynamicLibrary.candidates(base: "libsoxr", version: 0)) throws {
    let library = try DynamicLibrary(
      name: "libsoxr", candidates: candidates, aptPackage: "libsoxr0", brewPackage: "libsoxr")
    create = try library.function("soxr_create", as: Create.self)
    process = try library.function("soxr_process", as: Process.self)
    delete = try library.function("soxr_delete", as: Delete.self)
  }
}
