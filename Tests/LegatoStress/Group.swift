import Legato
import LegatoModels

/// Sessions join, leave, pause, change their style and number of steps, hear a prompt, and go to another group; each plays what it
/// plays alone.
func playGroup(_ package: ModelPackage) throws {
  let group = SessionGroup(package, capacity: 3, threads: 3)
  func options(_ seed: UInt64) -> GenerationOptions {
    var options = package.options(seed: seed)
    options.steps = [2, 1, 3][Int(seed % 3)]
    return options
  }
  var players = try (0..<3).map { try group.join(options($0)) }
  check((try? group.join()) == nil, "a full group took another session")
  for _ in 0..<2 { _ = group.next(players) }
  players.remove(at: 1)
  _ = group.next([players[1]])
  players.append(try group.join(options(7)))
  try players[2].prompt(tone(package))
  players[0].options.style = package.styles.last
  for _ in 0..<3 { _ = group.next(players.reversed()) }

  let saved = players[2].save()
  let alone = Session(package, options: players[2].options, threads: 2)
  try alone.restore(saved)
  for _ in 0..<3 {
    let heard = group.next(players)[2].channels
    check(heard == alone.next().channels, "a session plays otherwise in a group")
    check(heard.allSatisfy { $0.allSatisfy(\.isFinite) }, "samples are not finite")
  }
  try players[0].restore(saved)
  _ = players[0].next()
}
