import ArgumentParser
import Legato
import LegatoModels

/// Which of a package's styles sounds.
enum StyleChoice: Sendable, Hashable, ExpressibleByArgument {
  /// The seed's choice, or the prompt's.
  case any
  /// The model without a style.
  case none
  case named(String)

  init(argument: String) {
    self = ["any": .any, "none": .none][argument] ?? .named(argument)
  }

  var defaultValueDescription: String { "any" }
}

struct StyleOption: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "A style of the package, as `legato info` lists them; any: they take turns from seed to seed, and a prompt takes the one that it is likest; none: "
        + "the model without a style.", valueName: "name"))
  var style = StyleChoice.any

  /// Settings of a package with the style that was asked for. Throws ``CommandError`` where it has no such style.
  func options(seed: UInt64, package: ModelPackage) throws -> GenerationOptions {
    var options = package.options(seed: seed)
    switch style {
    case .any: break
    case .none: options.style = nil
    case .named(let name):
      guard let style = package.styles.first(where: { $0.name == name }) else {
        let known = package.styles.map(\.name).joined(separator: ", ")
        throw CommandError(
          "the package \(package.configuration.name) has no style '\(name)'; "
            + (known.isEmpty
              ? "it has none: leave --style out" : "choose one of \(known), or any, or none"))
      }
      options.style = style
    }
    return options
  }

  /// Whether a prompt leaves the style alone.
  var isChosen: Bool { style != .any }
}
