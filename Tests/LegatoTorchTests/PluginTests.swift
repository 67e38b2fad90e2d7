import Testing

@testable import LegatoTorch

/// Everything that needs libtorch, one test at a time: threads, gradient mode and the count of handles are the
/// process's.
@Suite(.serialized) struct Torch {
  init() throws { try requirePlugin() }
}

/// Fails, never skips: the test command builds the plug-in first.
func requirePlugin() throws {
  do {
    try TorchRuntime.check()
  } catch {
    Issue.record("These tests need libtorch: run `make torch`. \(error)")
    throw error
  }
}
