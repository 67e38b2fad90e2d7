/// How the next latent is drawn.
public enum SamplerKind: String, Codable, Sendable, CaseIterable {
  /// A rectified flow from noise (Liu et al. 2023), as in CAM.
  case flow
  /// A flow's map from one time to a later one, in a single evaluation (Boffi, Albergo and Vanden-Eijnden 2025).
  case flowMap = "flow-map"
  /// A diffusion whose noise the network finds, as in MAR (Li et al. 2024).
  case diffusion
  /// A mixture of normal distributions, as in GIVT (Tschannen et al. 2024).
  case mixture
  /// Codes of a residual vector quantisation, coarse to fine over as many positions, as in MusicGen (Copet et al. 2023): discrete.
  case codes

  /// Whether it evaluates a network in steps for a latent.
  public var hasSteps: Bool { self != .mixture && self != .codes }
}

/// Sizes of a ``Sampler``.
public struct SamplerConfiguration: Codable, Sendable, Hashable {
  public var kind = SamplerKind.flow
  /// Of the network that flows and diffusions have.
  public var width = 384
  public var blocks = 3
  /// Of a mixture; 32 otherwise.
  public var modes = 32
  /// Of codes; 8 of 256 otherwise.
  public var codebooks = 8
  public var codes = 256

  public init() {}

  enum CodingKeys: String, CodingKey { case kind, width, blocks, modes, codebooks, codes }

  /// Packages of before have a flow, and say nothing of it.
  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    kind = try values.decodeIfPresent(SamplerKind.self, forKey: .kind) ?? .flow
    width = try values.decode(Int.self, forKey: .width)
    blocks = try values.decode(Int.self, forKey: .blocks)
    if kind == .mixture { modes = try values.decode(Int.self, forKey: .modes) }
    if kind == .codes {
      codebooks = try values.decode(Int.self, forKey: .codebooks)
      codes = try values.decode(Int.self, forKey: .codes)
    }
  }

  public func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    if kind != .flow { try values.encode(kind, forKey: .kind) }
    if kind == .mixture { try values.encode(modes, forKey: .modes) }
    if kind == .codes {
      try values.encode(codebooks, forKey: .codebooks)
      try values.encode(codes, forKey: .codes)
    }
    try values.encode(width, forKey: .width)
    try values.encode(blocks, forKey: .blocks)
  }

  /// In words, as `legato info` and a card say it.
  public var summary: String {
    switch kind {
    case .flow: "rectified flow, \(blocks) blocks of \(width)"
    case .flowMap: "flow map, \(blocks) blocks of \(width)"
    case .diffusion: "diffusion, \(blocks) blocks of \(width)"
    case .mixture: "mixture of \(modes) normal distributions"
    case .codes: "\(codebooks) codebooks of \(codes) codes, delayed"
    }
  }
}
