/// From ticks to seconds: swing, phrases that breathe, and a slowing end.
struct Clock: Sendable {
  /// Seconds at every semiquaver.
  private var times: [Double] = [0]
  private let swing: Double
  private static let lead = 0.03
  /// Seconds at which everything is released, and beats per minute where the tempo neither gives nor takes.
  let end, tempo: Double

  init(_ plan: Plan, seconds: Double, using random: inout SeededGenerator) {
    let rubato = plan.style.rubato
    swing = plan.meter == .sixEight ? 0.5 : plan.style.swing
    end = seconds
    let bar = plan.meter.bar / Tick.sixteenth
    let slots = plan.finalTick / Tick.sixteenth
    var drift = 1.0
    for slot in 0..<slots {
      if slot % bar == 0 { drift = 1 + random.bell() * (rubato == 0 ? 0.002 : 0.007) }
      // Phrases begin and end a little slower than they run.
      let x = Double(slot % (4 * bar)) / Double(4 * bar)
      var factor = drift * (1 + rubato * ((2 * x - 1) * (2 * x - 1) * 1.5 - 0.5))
      if x > 0.9 { factor *= 1 + rubato }
      let left = Double(slots - slot) / Double(bar)
      if left < 1 { factor *= 1 + 0.45 * (1 - left) * (1 - left) }
      times.append(times[slot] + factor)
    }
    // The closing chord lasts a bar, within reason; what comes before it fills the time.
    let beat = Double(plan.meter.beat / Tick.sixteenth)
    let longest = plan.instrument.isSustained ? 3.2 : plan.instrument.hasPedal ? 3 : 1.8
    let held = min(longest, Double(bar) / beat * 60 / plan.tempo)
    let scale = (seconds - held - Self.lead) / times[slots]
    tempo = 60 / (scale * beat)
    times = times.map { $0 * scale }
    // Beyond the closing chord time goes on evenly, for whoever asks.
    for slot in slots...slots + 2 * bar { times.append(times[slot] + scale) }
  }

  func seconds(_ tick: Int) -> Double {
    let within = Double(tick % Tick.quarter) / Double(Tick.quarter)
    let swung = within < 0.5 ? within * 2 * swing : swing + (within - 0.5) * 2 * (1 - swing)
    let slot = (Double(tick / Tick.quarter) + swung) * Double(Tick.quarter / Tick.sixteenth)
    let index = min(times.count - 2, Int(slot))
    return Self.lead + times[index] + (times[index + 1] - times[index]) * (slot - Double(index))
  }
}
