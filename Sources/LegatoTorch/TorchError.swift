import LegatoTensor

/// What can go wrong with libtorch: the plug-in, the device, an operation.
public enum TorchError: Error, Equatable, Sendable, CustomStringConvertible {
  /// No plug-in was found; `attempts` are the files that are there, with what the system said of each.
  case pluginNotFound(attempts: [String])
  /// A plug-in was found and refused.
  case pluginRefused(path: String, reason: String)
  case noSuchDevice(name: String, reason: String)
  /// An operation failed; `context` says which, with the shapes.
  case failed(context: String, reason: String)
  case outOfMemory(context: String, reason: String)
  /// The state of an optimiser or an average does not fit the weights.
  case stateMismatch(name: String, reason: String)

  public var description: String {
    switch self {
    case .pluginNotFound(let attempts):
      "libtorch plug-in not found"
        + (attempts.isEmpty
          ? " beside the program or in .tools/torch-plugin of this folder, the program's, or one above"
          : " (" + attempts.joined(separator: "; ") + ")")
        + ". Run `make torch` in Legato's folder to build it, or set LEGATO_TORCH_PLUGIN to its full path."
    case .pluginRefused(let path, let reason):
      "The libtorch plug-in \(path) cannot be used: \(reason). Rebuild it: run `make torch`."
    case .noSuchDevice(let name, let reason):
      "The device '\(name)' cannot be used: \(reason)"
    case .failed(let context, let reason):
      "libtorch failed in \(context): \(reason)"
    case .outOfMemory(let context, let reason):
      "Out of memory in \(context). Use a smaller batch_size or a shorter crop. (\(reason))"
    case .stateMismatch(let name, let reason):
      "The saved state '\(name)' does not fit: \(reason)"
    }
  }

  /// A failure that libtorch reported, told apart by its text.
  static func reported(context: String, reason: String) -> TorchError {
    let short = String(reason.prefix { $0 != "\n" })
    let lower = reason.lowercased()
    // CUDA itself, the CPU's allocator, and what cuBLAS, cuDNN and cuFFT answer where their workspace does not fit.
    let signs = ["out of memory", "can't allocate memory", "alloc_failed"]
    return signs.contains { lower.contains($0) }
      ? .outOfMemory(context: context, reason: short) : .failed(context: context, reason: short)
  }
}
