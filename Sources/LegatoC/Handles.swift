import CLegato
import Legato
import LegatoModels

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// What a `legato_package *` points to.
final class PackageHandle: Sendable {
  let package: ModelPackage
  /// Names of the styles, as C reads them.
  let names: [NameString]

  init(_ package: ModelPackage) {
    self.package = package
    names = package.styles.map { NameString($0.name) }
  }
}

/// A string at an address that does not move.
///
/// Safety of `@unchecked Sendable`: the characters are written before the object is visible, and only read afterwards.
final class NameString: @unchecked Sendable {
  let characters: UnsafePointer<CChar>?

  init(_ text: String) { characters = UnsafePointer(strdup(text)) }

  deinit { free(UnsafeMutablePointer(mutating: characters)) }
}

/// What a `legato_stream *` points to.
final class StreamHandle: Sendable {
  let stream: RealtimeStream

  init(_ stream: RealtimeStream) { self.stream = stream }
}

/// Something that a caller did wrong, with the status that says so.
struct Failure: Error {
  let status: legato_status
  let message: String

  init(_ status: legato_status, _ message: String) { (self.status, self.message) = (status, message) }

  static func null(_ what: String) -> Failure { Failure(LEGATO_ERROR_ARGUMENT, "\(what) is null") }
}

/// Runs a call: its failure becomes a status and the thread's message.
///
/// - Parameter otherwise: status of errors that bring none of their own.
func reporting(_ otherwise: legato_status = LEGATO_ERROR_ARGUMENT, _ body: () throws -> Void) -> legato_status
{
  do {
    try body()
    return LEGATO_OK
  } catch let failure as Failure {
    legato_keep_message(failure.message)
    return failure.status
  } catch {
    legato_keep_message(String(describing: error))
    return otherwise
  }
}

/// The object of a handle that may be null.
func object<Object: AnyObject>(_ handle: OpaquePointer?, _ what: String) throws -> Object {
  guard let handle else { throw Failure.null(what) }
  return Unmanaged<Object>.fromOpaque(UnsafeRawPointer(handle)).takeUnretainedValue()
}

/// Copies as much of a structure as the caller has room for, its size excepted, which stays the caller's.
func fill<Structure>(_ target: UnsafeMutablePointer<Structure>?, _ what: String, with value: Structure) throws
{
  guard let target else { throw Failure.null(what) }
  let size = UnsafeRawPointer(target).load(as: Int.self)
  let (least, most) = (MemoryLayout<Int>.size, MemoryLayout<Structure>.size)
  // Sizes of structures are small: anything else is memory that nobody set.
  guard (least + 1...4096).contains(size) else {
    throw Failure(LEGATO_ERROR_ARGUMENT, "\(what)->size is not set: set it to sizeof *\(what)")
  }
  withUnsafeBytes(of: value) {
    guard let source = $0.baseAddress else { return }
    (UnsafeMutableRawPointer(target) + least).copyMemory(
      from: source + least, byteCount: min(size, most) - least)
  }
}
