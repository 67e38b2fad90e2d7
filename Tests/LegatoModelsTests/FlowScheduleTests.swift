import LegatoModels
import Testing

@Suite struct FlowScheduleTests {
  /// The exact velocity towards a normal variable of this deviation.
  private func velocity(_ x: Double, _ t: Double, to deviation: Double) -> Double {
    let s2 = deviation * deviation
    return x * (t * s2 - (1 - t)) / ((1 - t) * (1 - t) + t * t * s2)
  }

  @Test(arguments: [0.2, 0.3, 0.5, 1, 1.5]) func eightEvaluationsKeepTheDeviation(_ deviation: Double) {
    let schedule = FlowSchedule(count: 8)
    var (x, origin, euler) = (1.0, 1.0, 1.0)
    for index in 0..<schedule.count {
      let step = schedule[index]
      x = origin + velocity(x, Double(step.time), to: deviation) * Double(step.gain)
      if step.endsInterval { origin = x }
      euler += velocity(euler, Double(index) / 8, to: deviation) / 8
    }
    #expect(abs(x / deviation - 1) < 0.03)
    // What as many Euler steps would leave.
    #expect(euler / deviation < 0.86)
  }

  @Test(arguments: 1...9) func intervalsAddUpToOne(_ count: Int) {
    let schedule = FlowSchedule(count: count)
    let steps = (0..<count).map { schedule[$0] }
    #expect(abs(steps.filter(\.endsInterval).map(\.gain).reduce(0, +) - 1) < 1e-6)
    #expect(zip(steps, steps.dropFirst()).allSatisfy { $0.time < $1.time })
    #expect(steps[count - 1].endsInterval)
  }
}
