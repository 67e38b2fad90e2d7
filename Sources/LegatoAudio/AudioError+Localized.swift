import Foundation

extension AudioError: LocalizedError {
  public var errorDescription: String? { description }
}
