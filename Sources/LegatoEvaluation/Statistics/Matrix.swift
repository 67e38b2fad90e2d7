/// Products and factors of Float64 matrices, row-major.
enum Matrix {
  /// aᵀ · b of a `[k, m]` and b `[k, n]` → `[m, n]`.
  ///
  /// - Parameter isSymmetric: whether the product is known to be; then half of it is computed and mirrored.
  static func transposedProduct(
    _ a: [Double], _ b: [Double], rows k: Int, _ m: Int, _ n: Int, isSymmetric: Bool = false
  ) -> [Double] {
    precondition(a.count == k * m && b.count == k * n, "Matrix: \(a.count) and \(b.count) values")
    var c = [Double](repeating: 0, count: m * n)
    // A block of c stays in the cache while all rows pass.
    let (high, wide) = (64, 256)
    c.withUnsafeMutableBufferPointer { c in
      a.withUnsafeBufferPointer { a in
        b.withUnsafeBufferPointer { b in
          guard let c = c.baseAddress, let a = a.baseAddress, let b = b.baseAddress else { return }
          for top in stride(from: 0, to: m, by: high) {
            let bottom = min(m, top + high)
            for left in stride(from: isSymmetric ? top / wide * wide : 0, to: n, by: wide) {
              let count = min(n, left + wide) - left
              var row = 0
              while row + 4 <= k {
                let (b0, b1) = (b + (row * n + left), b + ((row + 1) * n + left))
                let (b2, b3) = (b + ((row + 2) * n + left), b + ((row + 3) * n + left))
                for i in top..<bottom {
                  let (x0, x1) = (a[row * m + i], a[(row + 1) * m + i])
                  let (x2, x3) = (a[(row + 2) * m + i], a[(row + 3) * m + i])
                  let target = c + (i * n + left)
                  for j in 0..<count {
                    target[j] += (x0 * b0[j] + x1 * b1[j]) + (x2 * b2[j] + x3 * b3[j])
                  }
                }
                row += 4
              }
              while row < k {
                let source = b + (row * n + left)
                for i in top..<bottom { add(a[row * m + i], source, to: c + (i * n + left), count) }
                row += 1
              }
            }
          }
          if isSymmetric { for i in 0..<m { for j in 0..<i { c[i * n + j] = c[j * n + i] } } }
        }
      }
    }
    return c
  }

  /// `[m, n]` → `[n, m]`.
  static func transposed(_ a: [Double], _ m: Int, _ n: Int) -> [Double] {
    precondition(a.count == m * n, "Matrix.transposed: \(a.count) values")
    return [Double](unsafeUninitializedCapacity: m * n) { result, filled in
      for top in stride(from: 0, to: m, by: 32) {
        for j in 0..<n { for i in top..<min(m, top + 32) { result[j * m + i] = a[i * n + j] } }
      }
      filled = m * n
    }
  }

  /// F `[rank, n]` with S = Fᵀ F, of a symmetric matrix S `[n, n]` without negative eigenvalues: Cholesky's factor with
  /// complete pivoting (Higham, "Analysis of the Cholesky decomposition of a semi-definite matrix", 1990), which ends
  /// where rounding begins, so that a matrix of lower rank has fewer rows.
  static func factor(_ s: [Double], _ n: Int) -> (rows: [Double], rank: Int) {
    precondition(s.count == n * n, "Matrix.factor: \(s.count) values for size \(n)")
    var diagonal = (0..<n).map { s[$0 * n + $0] }
    let limit = Double(n) * 0x1p-53 * (diagonal.max() ?? 0)
    var rank = 0
    var rows = [Double](repeating: 0, count: n * n)
    rows.withUnsafeMutableBufferPointer { rows in
      s.withUnsafeBufferPointer { s in
        guard let f = rows.baseAddress, let s = s.baseAddress else { return }
        while rank < n, let pivot = diagonal.indices.max(by: { diagonal[$0] < diagonal[$1] }),
          diagonal[pivot] > limit
        {
          let row = f + rank * n
          row.update(from: s + pivot * n, count: n)
          for earlier in 0..<rank { add(-f[earlier * n + pivot], f + earlier * n, to: row, n) }
          let root = diagonal[pivot].squareRoot()
          for j in 0..<n {
            row[j] /= root
            diagonal[j] -= row[j] * row[j]
          }
          // No pivot is taken twice, whatever rounding leaves of it.
          diagonal[pivot] = -.infinity
          rank += 1
        }
      }
    }
    rows.removeLast((n - rank) * n)
    return (rows, rank)
  }

  /// y ← y + x · b.
  @inline(__always)
  static func add(
    _ x: Double, _ b: UnsafePointer<Double>, to y: UnsafeMutablePointer<Double>, _ count: Int
  ) {
    for j in 0..<count { y[j] += x * b[j] }
  }
}
