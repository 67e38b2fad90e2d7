import CKernels

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Facts about the machine.
public enum Platform {
  /// Processors that are online.
  public static var processorCount: Int { max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))) }

  /// Threads that are taken where nobody asks for a number: one a core, at most 4.
  public static var defaultThreadCount: Int { min(4, processorCount) }

  /// Whether a network library's products in bf16 are faster than in f32 here: without instructions for them they can take ten
  /// times as long. False, too, where LEGATO_ISA forces an instruction set that has none.
  public static var multipliesBFloat16: Bool { lk_multiplies_bf16() != 0 }

  /// Instruction sets that this processor has and the engine has kernels for, slowest first. ``CPUEngine`` takes the last, or the
  /// one that the environment's LEGATO_ISA names.
  public static var instructionSets: [String] {
    [LK_SCALAR, LK_AVX2, LK_AVX512, LK_AVX512_VNNI, LK_AVX512_BF16, LK_NEON, LK_NEON_DOT]
      .filter { lk_kernel_for(LK_LINEAR, $0) != nil }
      .map { String(cString: lk_isa_name($0)) }
  }
}
