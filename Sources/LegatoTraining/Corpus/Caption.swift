extension Performer {
  /// One or two sentences that say what is heard; worded in several ways, so that a text model sees more than one.
  func caption(for score: Score) -> String {
    var random = SeededGenerator(seed: seed, path: 7)
    let pulse = score.tempo * (plan.meter == .sixEight ? 1.2 : 1)
    let speed =
      switch pulse {
      case ..<68: random.pick(["slow", "unhurried"])
      case ..<92: random.pick(["calm", "relaxed", "moderately slow"])
      case ..<116: random.pick(["moderate", "easy-going", "flowing"])
      default: random.pick(["fast", "brisk", "quick"])
      }
    let isDark = plan.tonality.mode == .minor || plan.tonality.mode == .dorian
    let mood =
      switch (isDark, plan.baseVelocity < 74) {
      case (true, true): random.pick(["wistful", "melancholy", "pensive", "tender"])
      case (true, false): random.pick(["sombre", "dramatic", "serious", "passionate"])
      case (false, true): random.pick(["gentle", "warm", "peaceful", "sweet"])
      case (false, false): random.pick(["bright", "cheerful", "confident", "sunny"])
      }
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
