import Foundation

/// Unbiased squared maximum mean discrepancy (Gretton et al., "A kernel two-sample test", 2012) with the Gaussian
/// kernel exp(−|x − y|² / (2 σ²)); σ is the median distance between rows of the reference. May be slightly negative.
///
/// Rows come in units: recordings, or seeds. Two rows of one unit resemble each other more than two of the
/// distribution do, so only pairs of rows from different units count; a single unit is compared by all its pairs.
public struct MaximumMeanDiscrepancy: Sendable {
  /// Rows of the units that have any; tens of thousands of units of one row are thinned to as many as rows are kept.
  private struct Rows {
    var values: [Double] = []
    var counts: [Int] = []
    /// Where each unit that was given is among those; nil for one without a row.
    var places: [Int?] = []
  }

  public let dimension: Int
  /// σ.
  public let bandwidth: Double
  private let reference: Rows
  private let scale: Double
  /// Sums of the kernel over pairs of rows, by unit and unit.
  private let within: [[Double]]

  /// - Parameters:
  ///   - reference: rows `[n, dimension]` of each unit.
  ///   - limit: rows that are kept, evenly thinned.
  public init?(reference: [[Float]], dimension: Int, limit: Int = 2000) {
    let rows = Self.thinned(reference, dimension, limit)
    let total = rows.counts.reduce(0, +)
    guard total > 1 else { return nil }
    self.dimension = dimension
    self.reference = rows
    var distances: [Double] = []
    distances.reserveCapacity(total * (total - 1) / 2)
    Self.forEachPair(rows, dimension) { _, _, distance in distances.append(distance) }
    distances.sort()
    let median = distances[distances.count / 2]
    bandwidth = median.squareRoot()
    scale = median > 0 ? -0.5 / median : -0.5
    within = Self.within(rows, dimension, scale)
  }

  /// Compares units with the reference once, for any choice of units afterwards.
  public func sums(_ units: [[Float]], limit: Int = 2000) -> Sums {
    let rows = Self.thinned(units, dimension, limit)
    var between = [[Double]](
      repeating: [Double](repeating: 0, count: reference.counts.count), count: rows.counts.count)
    let d = dimension
    rows.values.withUnsafeBufferPointer { a in
      reference.values.withUnsafeBufferPointer { b in
        var row = 0
        for unit in rows.counts.indices {
          for _ in 0..<rows.counts[unit] {
            var other = 0
            for piece in reference.counts.indices {
              var sum = 0.0
              for _ in 0..<reference.counts[piece] {
                sum += exp(scale * Self.squaredDistance(a, row, b, other, d))
                other += 1
              }
              between[unit][piece] += sum
            }
            row += 1
          }
        }
      }
    }
    return Sums(
      places: rows.places, referencePlaces: reference.places, counts: rows.counts,
      referenceCounts: reference.counts, within: Self.within(rows, d, scale), referenceWithin: within,
      between: between)
  }

  /// Sums of the kernel by unit.
  public struct Sums: Sendable {
    let places: [Int?]
    let referencePlaces: [Int?]
    let counts: [Int]
    let referenceCounts: [Int]
    let within: [[Double]]
    let referenceWithin: [[Double]]
    let between: [[Double]]

    /// The discrepancy of some of the units from some of the reference's; nil where too few rows are left.
    public func value(leavingOut: Set<Int> = [], ofReference: Set<Int> = []) -> Double? {
      let units = Self.left(of: places, without: leavingOut)
      let pieces = Self.left(of: referencePlaces, without: ofReference)
      guard let own = Self.mean(within, counts, units),
        let real = Self.mean(referenceWithin, referenceCounts, pieces)
      else { return nil }
      var (sum, pairs) = (0.0, 0)
      for unit in units {
        for piece in pieces {
          sum += between[unit][piece]
          pairs += counts[unit] * referenceCounts[piece]
        }
      }
      return real + own - 2 * sum / Double(pairs)
    }

    /// The discrepancy by all pairs of rows, also those of one unit, without each of some groups of units; nil where too few rows
    /// are left.
    func valuesOfAllPairs(leavingOut groups: [[Int]]) -> [Double?] {
      let all = counts.reduce(0, +)
      let real = referenceCounts.reduce(0, +)
      let realMean = Self.meanOfAllPairs(referenceWithin, rows: real)
      // Once by unit, so that a group costs its own pairs alone.
      let across = between.map { $0.reduce(0, +) }
      let (crossed, total) = (across.reduce(0, +), Self.total(within))
      let rowSums = within.map { $0.reduce(0, +) }
      return groups.map { units in
        let group = units.compactMap { places[$0] }
        let count = group.reduce(all) { $0 - counts[$1] }
        guard count > 1, real > 1 else { return nil }
        var sum = total
        for (index, unit) in group.enumerated() {
          sum -= rowSums[unit]
          // What two of the group share has been taken away twice.
          for other in group[..<index] { sum += within[unit][other] }
        }
        let own = sum / (Double(count) * Double(count - 1) / 2)
        let cross = group.reduce(crossed) { $0 - across[$1] } / (Double(count) * Double(real))
        return realMean + own - 2 * cross
      }
    }

    private static func left(of places: [Int?], without units: Set<Int>) -> [Int] {
      places.indices.filter { !units.contains($0) }.compactMap { places[$0] }
    }

    private static func total(_ sums: [[Double]]) -> Double {
      sums.indices.reduce(0) { $0 + sums[$1][...$1].reduce(0, +) }
    }

    private static func meanOfAllPairs(_ sums: [[Double]], rows: Int) -> Double {
      total(sums) / (Double(rows) * Double(rows - 1) / 2)
    }

    private static func mean(_ sums: [[Double]], _ counts: [Int], _ units: [Int]) -> Double? {
      var (sum, pairs) = (0.0, 0)
      if units.count == 1, let unit = units.first {
        (sum, pairs) = (sums[unit][unit], counts[unit] * (counts[unit] - 1) / 2)
      }
      for (index, a) in units.enumerated() {
        for b in units[..<index] {
          sum += sums[a][b]
          pairs += counts[a] * counts[b]
        }
      }
      return pairs > 0 ? sum / Double(pairs) : nil
    }
  }

  private static func within(_ rows: Rows, _ d: Int, _ scale: Double) -> [[Double]] {
    let units = rows.counts.count
    var sums = [[Double]](repeating: [Double](repeating: 0, count: units), count: units)
    forEachPair(rows, d) { a, b, distance in
      let value = exp(scale * distance)
      sums[a][b] += value
      if a != b { sums[b][a] += value }
    }
    return sums
  }

  private static func forEachPair(_ rows: Rows, _ d: Int, _ body: (_ a: Int, _ b: Int, Double) -> Void) {
    let unit = rows.counts.enumerated().flatMap { Array(repeating: $0.offset, count: $0.element) }
    rows.values.withUnsafeBufferPointer { values in
      for i in unit.indices {
        for j in 0..<i { body(unit[i], unit[j], squaredDistance(values, i, values, j, d)) }
      }
    }
  }

  private static func thinned(_ units: [[Float]], _ d: Int, _ limit: Int) -> Rows {
    let total = units.reduce(0) { $0 + $1.count / d }
    let kept = min(total, limit)
    var rows = Rows()
    rows.values.reserveCapacity(kept * d)
    var position = 0
    for unit in units {
      let count = unit.count / d
      // Row r of all is kept where it begins another of `kept` equal parts.
      let own = (0..<count).filter { kept == total || ($0 + position) * kept % total < kept }
      for row in own { rows.values += unit[row * d..<(row + 1) * d].lazy.map(Double.init) }
      rows.places.append(own.isEmpty ? nil : rows.counts.count)
      if !own.isEmpty { rows.counts.append(own.count) }
      position += count
    }
    return rows
  }

  @inline(__always)
  private static func squaredDistance(
    _ a: UnsafeBufferPointer<Double>, _ i: Int, _ b: UnsafeBufferPointer<Double>, _ j: Int, _ d: Int
  ) -> Double {
    guard let x = a.baseAddress.map({ $0 + i * d }), let y = b.baseAddress.map({ $0 + j * d }) else {
      return 0
    }
    // Eight sums side by side: one alone would wait for itself.
    var sums = SIMD8<Double>.zero
    let (p, q) = (UnsafeRawPointer(x), UnsafeRawPointer(y))
    let whole = d / 8 * 8
    for k in stride(from: 0, to: whole, by: 8) {
      let difference =
        p.loadUnaligned(fromByteOffset: 8 * k, as: SIMD8<Double>.self)
        - q.loadUnaligned(fromByteOffset: 8 * k, as: SIMD8<Double>.self)
      sums += difference * difference
    }
    var sum = sums.sum()
    for k in whole..<d {
      let difference = x[k] - y[k]
      sum += difference * difference
    }
    return sum
  }
}
