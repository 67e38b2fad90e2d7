import LegatoModels
import Testing

@Suite struct FlowScheduleTests {
  /// The deviation that a normal variable of deviation 1 ends with, against `deviation`, along its exact velocity.
  private func drawn(_ deviation: Double, _ schedule: FlowSchedule) -> Double {
    func velocity(_ x: Double, _ t: Double) -> Double {
      let s2 = deviation * deviation
      return x * (t * s2 - (1 - t)) / ((1 - t) * (1 - t) + t * t * s2)
    }
    var (x, origin) = (1.0, 1.0)
    for index in 0..<schedule.count {
      let step = schedule[index]
      x = origin + velocity(x, Double(step.time)) * Double(step.gain)
      if step.endsInterval { origin = x }
    }
    return x / deviation
  }

  @Test(arguments: [0.2, 0.3, 0.5, 1, 1.5]) func eightEvaluationsKeepTheDeviation(_ deviation: Double) {
    #expect(abs(drawn(deviation, FlowSchedule(count: 8)) - 1) < 0.03)
    // What the same number of Euler steps would leave: each of them one evaluation of a schedule of one.
    var x = 1.0
    for index in 0..<8 {
      let t = Double(index) / 8
      let s2 = deviation * deviation
      x += x * (t * s2 - (1 - t)) / ((1 - t) * (1 - t) + t * t * s2) / 8
    }
    #expect(x / deviation < 0.86)
  }

  @Test(arguments: 1...9) func intervalsAddUpToOne(_ count: Int) {
    let schedule = FlowSchedule(count: count)
    let steps = (0..<count).map { schedule[$0] }
    #expect(abs(steps.filter(\.endsInterval).map(\.gain).reduce(0, +) - 1) < 1e-6)
    #expect(zip(steps, steps.dropFirst()).allSatisfy { $0.time < $1.time })
    #expect(steps[count - 1].endsInterval)
  }
}
