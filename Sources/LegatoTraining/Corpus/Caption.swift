extension Performer {
  /// One or two sentences that say what is heard; worded in several ways, so that a text model sees more than one.
  func caption(for score: Score) -> String {
    var random = SeededGenerator(seed: seed, path: 7)
    let pulse = score.tempo * (plan.meter == .sixEight ? 1.2 : 1)
    let speeds = [
      (68, ["slow", "unhurried"]), (92, ["calm", "relaxed", "moderately slow"]),
      (116, ["moderate", "easy-going", "flowing"]), (.infinity, ["fast", "brisk", "quick"]),
    ]
    let speed = random.pick(speeds.first { pulse < $0.0 }?.1 ?? ["fast"])
    let isDark = plan.tonality.mode == .minor || plan.tonality.mode == .dorian
    let isSoft = plan.baseVelocity < 74
    let mood = random.pick(
      isDark
        ? isSoft
          ? ["wistful", "melancholy", "pensive", "tender"] : ["sombre", "dramatic", "serious", "passionate"]
        : isSoft ? ["gentle", "warm", "peaceful", "sweet"] : ["bright", "cheerful", "confident", "sunny"])
    let key = "\(score.tonic) \(score.mode)"
    let name = score.instrument.name
    let bpm = "\(Int(score.tempo.rounded())) beats per minute"
    switch random.int(0...3) {
    case 0:
      return sentence(
        "\(mood), \(speed) \(score.style) for solo \(name) in \(key), \(score.meter), at \(bpm).")
        + " " + capitalised("\(plan.style.manner).")
    case 1:
      return capitalised("\(name) alone: \(plan.style.manner), in \(key).")
        + " \(capitalised(speed)) and \(mood), \(bpm) in \(score.meter)."
    case 2:
      return sentence(
        "\(speed), \(mood) \(score.style) played on \(name), with \(plan.style.manner); \(key), \(bpm).")
    default:
      return capitalised(
        "solo \(name), \(score.style), \(mood) and \(speed), \(key), \(score.meter), \(bpm).")
    }
  }

  private func sentence(_ text: String) -> String {
    ("aeiou".contains(text.first ?? " ") ? "An " : "A ") + text
  }

  private func capitalised(_ text: String) -> String { text.prefix(1).uppercased() + text.dropFirst() }
}
