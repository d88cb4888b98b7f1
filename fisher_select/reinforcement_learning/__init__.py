# SPDX-License-Identifier: Apache-2.0
"""Learning which rows to label: an environment, an agent, and the training of policies.

    from fisher_select.reinforcement_learning import Environment, train_policy
    policy = train_policy(Environment(X, y, classes=3, model_factory=net, trainer=trainer))
    policy.save("policy.pt")
    fs.reinforcement(features, probabilities, policy="policy.pt", labeled=rows, batch_size=10)

Slade, Branson: Deep reinforced active learning for multi-class image classification,
arXiv:2206.13391, 2022, after LAL-RL: Konyushkova, Sznitman, Fua: Discovering General-Purpose
Active Learning Strategies, arXiv:1810.04114, 2018, which is `lal_rl` here. Needs torch.
"""

from fisher_select.policy import Policy, View
from fisher_select.reinforcement_learning.agent import Agent
from fisher_select.reinforcement_learning.environment import Environment
from fisher_select.reinforcement_learning.episode import Episode, lal_rl
from fisher_select.reinforcement_learning.learning import Learning
from fisher_select.reinforcement_learning.plan import PolicyPlan, load
from fisher_select.reinforcement_learning.training import train_policy

__all__ = [
    "Agent",
    "Environment",
    "Episode",
    "Learning",
    "Policy",
    "PolicyPlan",
    "View",
    "lal_rl",
    "load",
    "train_policy",
]
