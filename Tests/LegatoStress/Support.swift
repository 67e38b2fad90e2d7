import Foundation
import LegatoCodecs
import LegatoModels

/// Ends the program where something does not hold.
func check(_ condition: Bool, _ what: String) {
  if condition { return }
  FileHandle.standardError.write(Data("LegatoStress: \(what)\n".utf8))
  exit(1)
}

/// A recording of a second.
func tone(_ package: ModelPackage) -> [[Float]] {
  let row = (0..<package.codec.codec.sampleRate).map { Float($0 % 109) / 109 - 0.5 }
  return [[Float]](repeating: row, count: package.codec.codec.channels)
}

/// Calls `body` on so many threads at once and waits for them. Threads of their own: dispatch may have fewer.
func inParallel(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
  let left = DispatchSemaphore(value: 0)
  for index in 0..<count {
    let thread = Thread {
      body(index)
      left.signal()
    }
    thread.stackSize = 4 << 20
    thread.start()
  }
  for _ in 0..<count { left.wait() }
}
