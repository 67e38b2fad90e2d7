import LegatoTensor

/// The Fréchet distance of infinitely many samples: the distance of parts of 25 sizes, extrapolated along 1/n to 0 by least
/// squares (Chong and Forsyth, "Effectively unbiased FID and inception score", 2020; Gui et al., "Adapting Fréchet audio
/// distance for generative music evaluation", 2024; github.com/microsoft/fadtk).
///
/// Parts are of rows, as in fadtk, not of recordings. fadtk draws them with replacement, which makes copies of rows lessen
/// the covariance's rank; ours are drawn without. The reference is not extrapolated. May be negative.
public struct FrechetExtrapolation: Sendable, Codable, Hashable {
  /// The distance of a part.
  public struct Point: Sendable, Codable, Hashable {
    public var samples: Int
    public var value: Double
  }

  /// Where the line meets 1/n = 0.
  public let value: Double
  /// Of the line, in 1/n: how much the distance is biased.
  public let slope: Double
  /// Share of the points' variance that the line explains; nil where they do not vary.
  public let explained: Double?
  public let points: [Point]
  public let withReplacement: Bool

  enum CodingKeys: String, CodingKey {
    case value, slope, points
    case explained = "r_squared"
    case withReplacement = "with_replacement"
  }

  public static let sizes = 25
  /// Rows of the smallest part, or half of all where there are fewer than twice as many.
  public static let smallest = 500
  /// Fewer rows than these are not extrapolated.
  public static let fewest = 50

  /// Nil for fewer than ``fewest`` rows.
  ///
  /// - Parameters:
  ///   - indices: the rows that parts are drawn from.
  ///   - seed: of the draws.
  public init?(
    _ rows: FrechetRows, of indices: [Int], withReplacement: Bool = false, seed: UInt64 = 0
  ) {
    let n = indices.count
    guard n >= Self.fewest else { return nil }
    let first = min(Self.smallest, n / 2)
    let random = RandomStream(seed: seed, name: "extrapolation")
    var isMember = [Bool](repeating: false, count: rows.count)
    for index in indices { isMember[index] = true }
    points = (0..<Self.sizes).compactMap { number in
      let size = first + (n - first) * number / (Self.sizes - 1)
      let start = UInt64(number) << 32
      // Drawn from all rows, and those that are left out passed over: sets without some sounds have their parts in common, so that a jackknife sees the
      // sounds and not the draws.
      let part =
        withReplacement
        ? Self.draws(size, of: rows.count, random, at: start, isMember: isMember)
        : Array(random.permutation(of: rows.count, at: start).lazy.filter { isMember[$0] }.prefix(size))
      return rows.distance(of: part).map { Point(samples: size, value: $0.value) }
    }
    let (x, y) = (points.map { 1 / Double($0.samples) }, points.map(\.value))
    guard let slope = Statistics.slope(x, y), let middle = Statistics.mean(x), let mean = Statistics.mean(y)
    else { return nil }
    let value = mean - slope * middle
    let rest = zip(x, y).reduce(0) { $0 + ($1.1 - value - slope * $1.0) * ($1.1 - value - slope * $1.0) }
    let total = y.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    (self.value, self.slope, self.withReplacement) = (value, slope, withReplacement)
    explained = total > 0 ? 1 - rest / total : nil
  }

  /// So many members, drawn with replacement.
  private static func draws(
    _ size: Int, of count: Int, _ random: RandomStream, at start: UInt64, isMember: [Bool]
  ) -> [Int] {
    var part: [Int] = []
    var place = start
    while part.count < size {
      let index = random.integer(below: count, at: place)
      if isMember[index] { part.append(index) }
      place += 1
    }
    return part
  }
}
