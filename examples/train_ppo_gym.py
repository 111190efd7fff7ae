"""Train PPO: `chainertrpo ppo`."""

from chainertrpo.program.ppo import main

if __name__ == "__main__":
    main()
