/// Eigenvalues and eigenvectors of a real symmetric matrix in Float64: Householder reduction to tridiagonal form,
/// then implicit QR with Wilkinson's shift (Golub and Van Loan, Matrix Computations, 8.3). Accurate to rounding.
public struct SymmetricEigen: Sendable {
  /// Largest first.
  public let values: [Double]
  /// Row k is the unit eigenvector of `values[k]`, `[n, n]`.
  public let vectors: [Double]

  /// - Parameter matrix: `[n, n]`, row-major, symmetric (the mean with its transpose is used) and finite.
  public init(_ matrix: [Double], size n: Int) {
    var q = [Double](repeating: 0, count: n * n)
    for i in 0..<n { q[i * n + i] = 1 }
    let diagonal = Self.solve(matrix, transposedBasis: &q, n)
    let order = (0..<n).sorted { diagonal[$0] > diagonal[$1] }
    values = order.map { diagonal[$0] }
    vectors = order.flatMap { q[$0 * n..<($0 + 1) * n] }
  }

  /// The eigenvalues alone, largest first: a sixth of the work.
  public static func values(_ matrix: [Double], size n: Int) -> [Double] {
    var none: [Double] = []
    return solve(matrix, transposedBasis: &none, n).sorted(by: >)
  }

  /// Eigenvalues in any order; the basis stays empty where it is.
  private static func solve(_ matrix: [Double], transposedBasis q: inout [Double], _ n: Int) -> [Double] {
    precondition(n > 0 && matrix.count == n * n, "SymmetricEigen: \(matrix.count) values for size \(n)")
    precondition(matrix.allSatisfy(\.isFinite), "SymmetricEigen: the matrix is not finite")
    var a = matrix
    for i in 0..<n { for j in 0..<i { a[i * n + j] = 0.5 * (matrix[i * n + j] + matrix[j * n + i]) } }
    for i in 0..<n { for j in 0..<i { a[j * n + i] = a[i * n + j] } }
    var below = [Double](repeating: 0, count: n)
    tridiagonalize(&a, transposedBasis: &q, n)
    var diagonal = (0..<n).map { a[$0 * n + $0] }
    for i in 0..<n - 1 { below[i] = a[(i + 1) * n + i] }
    diagonalize(&diagonal, &below, transposedBasis: &q, n)
    return diagonal
  }

  /// A ← Hᵀ A H column by column, Qᵀ ← H Qᵀ, with H = I − β v vᵀ.
  private static func tridiagonalize(_ a: inout [Double], transposedBasis q: inout [Double], _ n: Int) {
    guard n > 2 else { return }
    var v = [Double](repeating: 0, count: n)
    var p = [Double](repeating: 0, count: n)
    a.withUnsafeMutableBufferPointer { a in
      q.withUnsafeMutableBufferPointer { q in
        v.withUnsafeMutableBufferPointer { v in
          p.withUnsafeMutableBufferPointer { p in
            guard let a = a.baseAddress, let v = v.baseAddress, let p = p.baseAddress else { return }
            for k in 0..<n - 2 {
              guard let beta = reflector(of: a, column: k, n, into: v) else { continue }
              reflect(a, column: k, n, v, beta, scratch: p)
              if let q = q.isEmpty ? nil : q.baseAddress {
                reflect(basis: q, from: k + 1, n, v, beta, scratch: p)
              }
            }
          }
        }
      }
    }
  }

  /// v and β that take column k below its second entry to 0; the column and its row become what they will be. Nil where nothing
  /// has to be done.
  private static func reflector(
    of a: UnsafeMutablePointer<Double>, column k: Int, _ n: Int, into v: UnsafeMutablePointer<Double>
  ) -> Double? {
    let scale = (k + 1..<n).reduce(0) { max($0, abs(a[$1 * n + k])) }
    guard scale > 0, (k + 2..<n).contains(where: { a[$0 * n + k] != 0 }) else { return nil }
    var norm = 0.0
    for i in k + 1..<n {
      v[i] = a[i * n + k] / scale
      norm += v[i] * v[i]
    }
    let alpha = v[k + 1] > 0 ? -norm.squareRoot() : norm.squareRoot()
    let beta = 1 / (norm - v[k + 1] * alpha)
    v[k + 1] -= alpha
    for i in k + 1..<n {
      let value = i == k + 1 ? alpha * scale : 0
      a[i * n + k] = value
      a[k * n + i] = value
    }
    return beta
  }

  /// The part of A that follows column k.
  private static func reflect(
    _ a: UnsafeMutablePointer<Double>, column k: Int, _ n: Int, _ v: UnsafeMutablePointer<Double>,
    _ beta: Double, scratch p: UnsafeMutablePointer<Double>
  ) {
    let (first, count) = (k + 1, n - k - 1)
    for j in first..<n { p[j] = 0 }
    // A is symmetric: the product with v is gathered by rows, which the processor adds side by side.
    for i in first..<n { Matrix.add(v[i], a + (i * n + first), to: p + first, count) }
    var dot = 0.0
    for i in first..<n {
      p[i] *= beta
      dot += p[i] * v[i]
    }
    let half = 0.5 * beta * dot
    for i in first..<n { p[i] -= half * v[i] }
    for i in first..<n {
      let (x, y, row) = (v[i], p[i], a + i * n)
      for j in first..<n { row[j] -= x * p[j] + y * v[j] }
    }
  }

  /// Row i of the basis is vector i; H mixes rows, so row sums w = Σ v_i q_i are gathered first.
  private static func reflect(
    basis q: UnsafeMutablePointer<Double>, from first: Int, _ n: Int, _ v: UnsafeMutablePointer<Double>,
    _ beta: Double, scratch p: UnsafeMutablePointer<Double>
  ) {
    for j in 0..<n { p[j] = 0 }
    for i in first..<n { Matrix.add(v[i], q + i * n, to: p, n) }
    for i in first..<n { Matrix.add(-beta * v[i], p, to: q + i * n, n) }
  }

  /// Implicit QR steps on the tridiagonal matrix (d, e) until every e vanishes; rotations go to the rows of Qᵀ.
  private static func diagonalize(
    _ d: inout [Double], _ e: inout [Double], transposedBasis q: inout [Double], _ n: Int
  ) {
    func isNegligible(_ i: Int) -> Bool { abs(e[i]) <= 0x1p-53 * (abs(d[i]) + abs(d[i + 1])) }
    var high = n - 1
    // Two or three steps find an eigenvalue; the bound only stops what rounding could repeat for ever.
    var stepsLeft = 100 * n
    while high > 0, stepsLeft > 0 {
      if isNegligible(high - 1) {
        high -= 1
        continue
      }
      var low = high - 1
      while low > 0, !isNegligible(low - 1) { low -= 1 }
      step(&d, &e, transposedBasis: &q, low...high, n)
      stepsLeft -= 1
    }
  }

  /// One step on an unreduced block: a rotation that the shift chooses, then those that chase its bulge out.
  private static func step(
    _ d: inout [Double], _ e: inout [Double], transposedBasis q: inout [Double], _ block: ClosedRange<Int>,
    _ n: Int
  ) {
    let (low, high) = (block.lowerBound, block.upperBound)
    let delta = 0.5 * (d[high - 1] - d[high])
    let corner = e[high - 1]
    let root = length(delta, corner)
    let shift = d[high] - corner / (delta + (delta < 0 ? -root : root)) * corner
    var (x, z) = (d[low] - shift, e[low])
    for k in low..<high {
      let r = length(x, z)
      let (c, s) = r > 0 ? (x / r, z / r) : (1, 0)
      if k > low { e[k - 1] = r }
      let (a, b, f) = (d[k], e[k], d[k + 1])
      d[k] = c * c * a + 2 * c * s * b + s * s * f
      d[k + 1] = s * s * a - 2 * c * s * b + c * c * f
      e[k] = c * s * (f - a) + (c * c - s * s) * b
      if k < high - 1 {
        x = e[k]
        z = s * e[k + 1]
        e[k + 1] *= c
      }
      guard !q.isEmpty else { continue }
      q.withUnsafeMutableBufferPointer { q in
        for j in 0..<n {
          let (u, v) = (q[k * n + j], q[(k + 1) * n + j])
          q[k * n + j] = c * u + s * v
          q[(k + 1) * n + j] = c * v - s * u
        }
      }
    }
  }

  /// √(a² + b²) without overflow.
  private static func length(_ a: Double, _ b: Double) -> Double {
    let (x, y) = (max(abs(a), abs(b)), min(abs(a), abs(b)))
    return x == 0 ? 0 : x * (1 + (y / x) * (y / x)).squareRoot()
  }
}
