import CTorchAPI

/// One tensor of libtorch, given back when the last reference goes. Not `Sendable`: it belongs to one thread.
final class TorchHandle {
  let raw: lgt_tensor
  private let api: TorchTable

  init(_ raw: lgt_tensor, _ api: TorchTable) {
    self.raw = raw
    self.api = api
  }

  deinit { _ = api.pointee.release(raw) }
}
