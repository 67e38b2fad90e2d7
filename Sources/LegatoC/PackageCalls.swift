import CLegato
import Legato
import LegatoCodecs
import LegatoModels

@_cdecl("legato_package_open")
public func packageOpen(
  _ path: UnsafePointer<CChar>?, _ package: UnsafeMutablePointer<OpaquePointer?>?
) -> legato_status {
  package?.pointee = nil
  return reporting(LEGATO_ERROR_PACKAGE) {
    guard let path else { throw Failure.null("path") }
    guard let package else { throw Failure.null("package") }
    let handle = PackageHandle(try ModelPackage(path: String(cString: path)))
    package.pointee = OpaquePointer(Unmanaged.passRetained(handle).toOpaque())
  }
}

@_cdecl("legato_package_close")
public func packageClose(_ package: OpaquePointer?) {
  guard let package else { return }
  Unmanaged<PackageHandle>.fromOpaque(UnsafeRawPointer(package)).release()
}

@_cdecl("legato_package_info_get")
public func packageInfo(
  _ package: OpaquePointer?, _ info: UnsafeMutablePointer<legato_package_info>?
) -> legato_status {
  reporting {
    let handle: PackageHandle = try object(package, "package")
    let codec = handle.package.codec.codec
    var value = legato_package_info()
    value.sample_rate = Int32(codec.sampleRate)
    value.channels = Int32(codec.channels)
    value.samples_per_frame = Int32(codec.samplesPerFrame)
    value.delay = Int32(codec.delay)
    value.styles = Int32(handle.names.count)
    value.memory = UInt64(handle.package.memoryFootprint.total)
    try fill(info, "info", with: value)
  }
}

@_cdecl("legato_package_style")
public func packageStyle(_ package: OpaquePointer?, _ index: Int32) -> UnsafePointer<CChar>? {
  var name: UnsafePointer<CChar>?
  _ = reporting {
    let handle: PackageHandle = try object(package, "package")
    guard handle.names.indices.contains(Int(index)) else {
      throw Failure(LEGATO_ERROR_ARGUMENT, "style \(index): the package has \(handle.names.count)")
    }
    name = handle.names[Int(index)].characters
  }
  return name
}
