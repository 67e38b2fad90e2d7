import ArgumentParser

/// `legato evaluate`: measurements of sounds, of a codec, of a model's loss.
struct Evaluate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract:
      "Measure how near generated sounds are to real ones, what a codec keeps, how well sounds fit texts, a model's loss and its draws.",
    discussion: """
        legato evaluate --reference data/held-out --candidate out --output report
        legato evaluate codec data/held-out
        legato evaluate clap out --text "slow music of a cello" --weights clap.safetensors --vocabulary roberta-base
        legato evaluate loss --latents data/latents
        legato evaluate draws --latents data/latents
      """,
    subcommands: [
      EvaluateSounds.self, EvaluateVectors.self, EvaluateCodec.self, EvaluateCLAP.self, EvaluateLoss.self,
      EvaluateDraws.self,
    ],
    defaultSubcommand: EvaluateSounds.self)
}
