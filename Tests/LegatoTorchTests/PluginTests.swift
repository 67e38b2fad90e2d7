import CTorchAPI
import Foundation
import LegatoTensor
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

extension Torch {
  @Suite struct Plugin {
    @Test func versions() throws {
      let versions = try TorchRuntime.versions()
      #expect(
        versions.compiled.split(separator: ".").prefix(2) == versions.loaded.split(separator: ".").prefix(2))
      #expect(TorchRuntime.isAvailable)
    }

    @Test func threads() throws {
      // Another number would change what tests of other suites compute meanwhile.
      let present = try TorchRuntime.threads()
      try TorchRuntime.setThreads(present)
      #expect(try TorchRuntime.threads() == present)
      #expect(throws: TorchError.self) { try TorchRuntime.setThreads(0) }
    }

    @Test func deviceNames() {
      #expect(TorchDevice("cpu") == .cpu)
      #expect(TorchDevice("cuda") == .cuda(0))
      #expect(TorchDevice("cuda:3")?.description == "cuda:3")
      #expect(TorchDevice("cuda:-1") == nil)
      #expect(TorchDevice("gpu") == nil)
    }

    @Test func missingDeviceIsNamed() throws {
      let count = try TorchRuntime.cudaDeviceCount()
      let error = #expect(throws: TorchError.self) { try TorchBackend(device: .cuda(count)) }
      #expect(try #require(error).description.contains("'cuda:\(count)'"))
      #expect(try TorchRuntime.memory(of: .cpu) == nil)
    }

    @Test func wrongPathIsAnError() throws {
      let error = #expect(throws: TorchError.self) {
        try TorchPlugin.find(chosen: "/nowhere/liblegato_torch.so")
      }
      let text = try #require(error).description
      #expect(text.contains("/nowhere/liblegato_torch.so") && text.contains("make torch"))
    }

    @Test func foreignLibraryIsRefused() throws {
      let error = #expect(throws: TorchError.self) {
        try TorchPlugin.open(foreignLibrary)
      }
      #expect(try #require(error).description.contains("legato_torch_open"))
    }

    @Test func otherVersionIsRefused() throws {
      let library = try #require(dlopen(try TorchRuntime.versions().pluginPath, RTLD_NOW | RTLD_LOCAL))
      let entry = unsafeBitCast(
        try #require(dlsym(library, LEGATO_TORCH_ENTRY)),
        to: (@convention(c) (
          UInt32, UnsafeMutablePointer<UnsafePointer<lgt_api>?>?, UnsafeMutablePointer<UnsafePointer<CChar>?>?
        ) -> Int32).self)
      var table: UnsafePointer<lgt_api>?
      var reason: UnsafePointer<CChar>?
      #expect(entry(9999, &table, &reason) != 0)
      #expect(table == nil)
      #expect(String(cString: try #require(reason)).contains("9999"))
    }

    @Test func failedOperationNamesShapesAndIsReportedOnce() throws {
      let backend = try TorchBackend()
      let table = backend.tensor([1, 2, 3, 4] as [Float], shape: [2, 2])
      let wrong = table.gather(backend.tensor([7] as [Int32], shape: [1]))
      #expect(wrong.shape == [1, 2])
      // Computation goes on with zeros, and only the first failure is kept.
      #expect((wrong + 1).square().floats() == [0, 0])
      let error = #expect(throws: TorchError.self) { try backend.check() }
      let text = try #require(error).description
      #expect(text.contains("gather") && text.contains("[[2, 2], [1]]"), "\(text)")
      try backend.check()
      #expect(table.gather(backend.tensor([1] as [Int32], shape: [1])).floats() == [3, 4])
    }

    @Test func memoryThatDoesNotExistGivesAdvice() throws {
      let backend = try TorchBackend()
      let huge = backend.tensor([1] as [Float], shape: [1]).broadcast(to: [1 << 40, 1 << 10]) + 1
      let error = #expect(throws: TorchError.self) { try backend.backward(huge.sum()) }
      let text = try #require(error).description
      #expect(text.contains("batch_size"), "\(text)")
    }
  }

  @Test(arguments: [
    "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 79.11 GiB",
    "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
    "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
    "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory",
  ])
  func fullMemoryIsToldFromOtherFailures(reason: String) {
    let error = TorchError.reported(context: "a step", reason: reason + "\nmore")
    #expect(error == .outOfMemory(context: "a step", reason: reason))
    #expect("\(error)".contains("batch_size"))
    #expect(
      TorchError.reported(context: "a step", reason: "shapes differ")
        == .failed(context: "a step", reason: "shapes differ"))
  }
}

#if canImport(Darwin)
  private let foreignLibrary = "/usr/lib/libSystem.B.dylib"
#else
  private let foreignLibrary = "libm.so.6"
#endif
