// What several threads and sessions do with the engine through Swift, for Scripts/check-sanitizers.sh: it says what is wrong by
// itself, the sanitizer says where memory is. legato.h has a program of its own (Tests/LegatoRealtimeTests/Programs/contract.c).
import Foundation
import Legato
import LegatoModels
import LegatoTensor

guard CommandLine.arguments.count == 2 else { exit(64) }
let shipped = try ModelPackage(path: CommandLine.arguments[1])

func part(_ name: String, _ body: () throws -> Void) throws {
  let duration = try ContinuousClock().measure(body)
  print("\(name): \(duration)")
}

for precision in [nil, WeightPrecision.int8, .int4] {
  let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
    "legato-stress-\(UUID().uuidString)")
  defer { try? FileManager.default.removeItem(at: folder) }
  var package = shipped
  if let precision {
    try shipped.converted { $0.converted(to: precision.format(of: $0)) }.write(
      to: folder.path, card: shipped.card)
    package = try ModelPackage(path: folder.path)
  }
  let name = precision?.rawValue ?? "as shipped"
  try part("\(name), group") { try playGroup(package) }
  try part("\(name), stream") { try playStream(package) }
}
try part("sessions of one package") { playSessions(shipped) }
try part("ring") { passThroughRing() }
