import Foundation
import LegatoTensor

extension SystemCallError {
  /// What the operating system said, out of an error of Foundation, whose own sentences say little.
  package init(_ operation: String, path: String, _ error: any Error) {
    if let own = error as? SystemCallError {
      self = own
      return
    }
    let outer = error as NSError
    let beneath = outer.userInfo[NSUnderlyingErrorKey]
    let posix = (error as? POSIXError) ?? (beneath as? POSIXError)
    let inner = [beneath as? NSError, outer].compactMap { $0 }.first { $0.domain == NSPOSIXErrorDomain }
    self.init(operation, path: path, code: posix?.code.rawValue ?? inner.map { Int32($0.code) } ?? EIO)
  }
}
